"""A scan of a fact as SQL: its rows, what is counted of those in the same units, and the sums of each unit of each grain.

What counts once by a key has a scan per key. Most keys have one row in a period: those are counted as rows, only the others
are first made one per unit.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from yuyan.domain import indicators
from yuyan.domain.indicators import BY_DISCIPLINE

CATEGORY = "substr(discipline_code, 1, 2)"
PARTS = {
    "city": (),
    "institution": ("inst_code",),
    "level_type": ("degree_level", "degree_type"),
    "category": (CATEGORY,),
    "discipline": ("discipline_code",),
    "institution_level_type": ("inst_code", "degree_level", "degree_type"),
    "institution_category": ("inst_code", CATEGORY),
    "institution_discipline": ("inst_code", "discipline_code"),
    "degree_point": ("degree_point_id",),
    "cluster": ("cluster_code",),
}
"""Grain -> the expressions whose combination is one unit."""
CLUSTERS = (
    "join {{{{ ref('bridge_key_cluster') }}}} as m\n"
    "        on m.discipline_code = {rows}.discipline_code and m.is_matched"
)


@dataclass
class Count:
    """One aggregate of a scan: column name, the column that is summed (None counts), the condition."""

    name: str
    amount: str | None
    where: str | None


@dataclass
class Scan:
    """What is counted of one fact by one period column and key: aggregates and the grains of all their variants."""

    name: str
    fact: str
    period: str
    key: str | None
    counts: dict[tuple[str | None, str | None], Count] = field(default_factory=dict)
    grains: set[str] = field(default_factory=set)
    cluster: str | None = None
    of_city: set[str] = field(default_factory=set)
    """Names of denominators that are the city's on the rows of some grain."""

    @property
    def year_kind(self) -> str:
        return indicators.facts()[self.fact][self.period]

    def ordered_grains(self) -> list[str]:
        return [g for g in indicators.known_grains() if g in self.grains]


def _period_code(scan: Scan) -> str:
    return scan.period if scan.year_kind == "text" else f"cast({scan.period} as text)"


def cte(name: str, columns: Iterable[str], source: str) -> str:
    return f"{name} as (\n{_select_from(columns, source)}\n)"


def _select_from(columns: Iterable[str], *source: str) -> str:
    return "    select\n        " + ",\n        ".join(columns) + "".join(f"\n    {part}" for part in source)


def ctes(scan: Scan) -> list[str]:
    """The rows of a scan with the columns of its grains, and the counts by unit."""
    grains, counts = scan.ordered_grains(), list(scan.counts.values())
    parts = [_rows(scan, grains)]
    period = [scan.period, f"{_period_code(scan)} as period_code"]
    if scan.key:
        parts += _by_key(scan, grains, period)
    else:
        columns = [scan.period, *_unit_columns(grains)]
        parts.append(_together(f"{scan.name}_together", columns, counts, f"from {scan.name}_rows"))
        added = [f"sum({c.name}) as {c.name}" for c in counts]
        source = f"from {scan.name}_together\n    {_by_grain([scan.period], grains)}"
        parts.append(cte(scan.name, [*period, _grain_columns(grains), *added], source))
    if scan.of_city:
        over = f"filter (where grain = 'city') over (partition by {scan.period})"
        city = [f"max({n}) {over} as {n}_of_city" for n in sorted(scan.of_city)]
        parts.append(cte(f"{scan.name}_of_city", ["*", *city], f"from {scan.name}"))
    return parts


def _together(name: str, columns: list[str], counts: Iterable[Count], source: str) -> str:
    """Counts of the rows that are in the same units of all grains: a row is looked at once, not once per grain."""
    counted = (f"{_aggregate(c)} as {c.name}" for c in counts)
    return cte(name, [*columns, *counted], f"{source}\n    group by {', '.join(columns)}")


def _by_key(scan: Scan, grains: list[str], period: list[str]) -> list[str]:
    """Counts by unit in which each key counts once: of a key with one row in a period that row, else what `_once` says.

    A row is in each of its discipline's clusters; they are joined to what was counted of rows of the same discipline.
    """
    name, counts, keys = scan.name, scan.counts.values(), [scan.period, scan.key]
    has_clusters = _joins_clusters(scan, grains)
    own = [g for g in grains if g != "cluster" or not has_clusters]
    columns = [scan.period, *_unit_columns(own), *(["discipline_code"] if has_clusters else [])]
    columns = list(dict.fromkeys(columns))
    added = [f"sum({c.name}) as {c.name}" for c in counts]
    units = [scan.period, "grain", "unit_code"]
    parts = [
        _select_from(
            [scan.period, _grain_columns(own), *added],
            f"from {name}_alone",
            _by_grain([scan.period], own),
        ),
        _select_from(
            [*units, *(f"{_aggregate_once(c)} as {c.name}" for c in counts)],
            f"from {name}_once",
            f"group by {', '.join(units)}",
        ),
    ]
    if has_clusters:
        of_cluster = [f"r.{scan.period}", "'cluster' as grain", "m.cluster_code as unit_code"]
        parts.append(
            _select_from(
                [*of_cluster, *(f"sum(r.{c.name}) as {c.name}" for c in counts)],
                f"from {name}_alone as r\n    inner {CLUSTERS.format(rows='r')}",
                f"group by r.{scan.period}, m.cluster_code",
            )
        )
    return [
        _together(f"{name}_alone", columns, counts, f"from {name}_rows\n    where rows_of_key = 1"),
        cte(
            f"{name}_repeated",
            ["r.*", *(["m.cluster_code"] if has_clusters else [])],
            f"from {name}_rows as r"
            + (f"\n    left {CLUSTERS.format(rows='r')}" if has_clusters else "")
            + "\n    where r.rows_of_key > 1",
        ),
        cte(
            f"{name}_once",
            [*keys, _grain_columns(grains), *(f"{_once(c)} as {c.name}" for c in counts)],
            f"from {name}_repeated\n    {_by_grain(keys, grains)}",
        ),
        f"{name}_parts as (\n" + "\n\n    union all\n\n".join(parts) + "\n)",
        cte(
            name,
            [*period, "grain", "unit_code", *added],
            f"from {name}_parts\n    group by {', '.join(units)}",
        ),
    ]


def _joins_clusters(scan: Scan, grains: list[str]) -> bool:
    return "cluster" in grains and scan.cluster == BY_DISCIPLINE


def _unit_columns(grains: list[str]) -> list[str]:
    """The columns of rows by whose values units differ."""
    found = dict.fromkeys(p for g in grains for p in PARTS[g])
    return list(dict.fromkeys("discipline_code" if p == CATEGORY else p for p in found))


def _rows(scan: Scan, grains: list[str]) -> str:
    """The fact's columns that the scan needs; with a row for each of its clusters unless a key counts once."""
    columns = dict.fromkeys(c for g in grains if g != "cluster" for c in indicators.GRAIN_COLUMNS[g])
    columns.pop("degree_point_id", None)
    for count in scan.counts.values():
        columns.update(
            dict.fromkeys([*([count.amount] if count.amount else []), *_columns_of(count.where, scan.fact)])
        )
    names = [f"f.{c}" for c in dict.fromkeys([scan.period, *([scan.key] if scan.key else []), *columns])]
    joined = ""
    if "degree_point" in grains:
        # a record whose degree point is not accepted has no discipline and is of no degree point
        names.append("case when f.discipline_code is not null then f.degree_point_id end as degree_point_id")
    if _joins_clusters(scan, grains) and scan.key:
        names = list(dict.fromkeys([*names, "f.discipline_code"]))
    elif _joins_clusters(scan, grains):
        names.append("m.cluster_code")
        joined = f"\n    left {CLUSTERS.format(rows='f')}"
    elif "cluster" in grains:
        own = f"f.{scan.cluster}"
        names = [n for n in names if n != own] + [
            own if scan.cluster == "cluster_code" else f"{own} as cluster_code"
        ]
    if scan.key:
        names.append(f"count(*) over (partition by f.{scan.period}, f.{scan.key}) as rows_of_key")
    where = " and ".join(f"f.{c} is not null" for c in (scan.period, scan.key) if c)
    where += f" and {{{{ touched('f.{scan.period}') }}}}"
    return cte(
        f"{scan.name}_rows", names, f"from {{{{ ref('{scan.fact}') }}}} as f{joined}\n    where {where}"
    )


def _columns_of(where: str | None, fact: str) -> list[str]:
    """The fact's columns that a written condition names."""
    text = re.sub(r"'[^']*'|\{\{.*?\}\}", "", where or "")
    return [w for w in re.findall(r"[a-z_]\w*", text) if w in indicators.facts()[fact]]


def _once(count: Count) -> str:
    """A key's part in a count: whether one of its rows meets the condition, or its greatest amount."""
    if count.amount:
        return f"max({count.amount})" + (f" filter (where {count.where})" if count.where else "")
    return f"bool_or({count.where})" if count.where else "true"


def _aggregate_once(count: Count) -> str:
    return f"coalesce(sum({count.name}), 0)" if count.amount else f"count(*) filter (where {count.name})"


def _aggregate(count: Count) -> str:
    within = f" filter (where {count.where})" if count.where else ""
    return f"coalesce(sum({count.amount}){within}, 0)" if count.amount else f"count(*){within}"


def _grain_columns(grains: list[str]) -> str:
    """Grain and unit of a grouping set; grouping() has a bit per column, the first the highest, set if not grouped by."""
    columns = list(dict.fromkeys(p for g in grains for p in PARTS[g]))
    if not columns:
        return "'city' as grain,\n        '{{ var(\"city_code\") }}' as unit_code"
    bits = {
        g: sum((c not in PARTS[g]) << (len(columns) - 1 - i) for i, c in enumerate(columns)) for g in grains
    }
    which = f"grouping({', '.join(columns)})"
    names = "".join(f"\n            when {bits[g]} then '{g}'" for g in grains)
    city = "'{{ var(\"city_code\") }}'"
    units = "".join(
        f"\n            when {bits[g]} then {' || chr(45) || '.join(PARTS[g]) or city}" for g in grains
    )
    units = units.replace("chr(45)", "'-'")
    return (
        f"case {which}{names}\n        end as grain,\n        case {which}{units}\n        end as unit_code"
    )


def _by_grain(keys: list[str], grains: list[str]) -> str:
    sets = ",\n        ".join(f"({', '.join([*keys, *PARTS[g]])})" for g in grains)
    return f"group by grouping sets (\n        {sets}\n    )"
