"""One model of dbt per fact that an indicator counts, as SQL: all grains and all indicators of the fact in one scan.

Plain rows are counted in one scan, and what counts once by a key in one scan per key (grouping sets). A row stands only
where something was counted.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from yuyan.domain import indicators
from yuyan.domain.conditions import Condition, all_of
from yuyan.domain.indicators import BY_DISCIPLINE, Side, Term, Variant

GENERATED = "由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。"
CATEGORY = "substr(discipline_code, 1, 2)"
COMPARED_WITH_DAY = re.compile(r"\b(\w+) (?:<>|[<>]=?|=) \{\{ as_of\(\) \}\}")
"""A column that a condition compares with the run's date."""
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
WITHIN = {
    "base": "{year} = {{{{ var('base_year') }}}}",
    "previous": "{year} = {period} - 1",
    "three_years": "{year} between {period} - 2 and {period}",
    "three_years_before": "{year} between {period} - 3 and {period} - 1",
}
"""Shift of a measure -> the years that it adds up, of the counted year and the period's."""


@dataclass
class _Count:
    """One aggregate of a scan: column name, the column that is summed (None counts), the condition."""

    name: str
    amount: str | None
    where: str | None


@dataclass
class _Scan:
    """What is counted of one fact by one period column and key: aggregates and the grains of all their variants."""

    name: str
    fact: str
    period: str
    key: str | None
    counts: dict[tuple[str | None, str | None], _Count] = field(default_factory=dict)
    grains: set[str] = field(default_factory=set)
    cluster: str | None = None
    of_city: set[str] = field(default_factory=set)
    """Names of denominators that are the city's on the rows of some grain."""

    @property
    def year_kind(self) -> str:
        return indicators.facts()[self.fact][self.period]

    def ordered_grains(self) -> list[str]:
        return [g for g in indicators.known_grains() if g in self.grains]


def models() -> dict[str, str]:
    """Model name -> SQL of dbt, one per fact that an indicator counts: `ind_counted_employment` for fct_employment."""
    by_fact: dict[str, list[Variant]] = {}
    for variant in indicators.variants():
        by_fact.setdefault(variant.fact, []).append(variant)
    return {_model_name(fact): _model(fact, of_fact) for fact, of_fact in sorted(by_fact.items())}


def _model_name(fact: str) -> str:
    return "ind_counted_" + fact.removeprefix("fct_")


def _model(fact: str, of_fact: list[Variant]) -> str:
    scans: dict[tuple[str, str | None], _Scan] = {}
    selects = []
    for variant in of_fact:
        for grains, (numerator, denominator) in _by_value(variant):
            scan = _scan(scans, variant, grains, numerator)
            selects.append(_select(scan, variant, grains, numerator, denominator))
    codes = sorted({v.indicator for v in of_fact})
    parts = [p for scan in scans.values() for p in _ctes(scan)]
    shifted = sorted({(s.scan.name, s.basis) for s in selects if s.shifted})
    for name, basis in shifted:
        scan = next(s for s in scans.values() if s.name == name)
        parts.append(_shifted_cte(scan, basis, selects))
    sql = "with " + ",\n\n".join(parts) + "\n\n" + "\nunion all\n".join(_union(selects)) + "\n"
    return f"-- {', '.join(codes)}：{GENERATED}\n" + _follows(fact, scans.values(), bool(shifted), sql) + sql


def _follows(fact: str, scans: Iterable[_Scan], is_shifted: bool, sql: str) -> str:
    """What dbt is told so that only periods of which rows changed are counted anew; nothing where a period's count is made
    of rows of other periods, or of rows by two columns."""
    columns = {scan.period for scan in scans}
    if is_shifted or len(columns) > 1:
        return ""
    rows = f"'key': 'period_code', 'rows': {{'{fact}': '{columns.pop()}'}}"
    dates = list(dict.fromkeys(COMPARED_WITH_DAY.findall(sql)))
    days = f", 'days': {{'{fact}': {dates}}}" if dates else ""
    return f"{{{{ config(follows={{{rows}{days}}}) }}}}\n"


def _by_value(variant: Variant) -> list[tuple[tuple[str, ...], tuple[Side, Side | None]]]:
    """The variant's grains, together where they have the same value."""
    found: dict[tuple[Side, Side | None], list[str]] = {}
    for grain in variant.grains:
        found.setdefault(variant.value_at(grain), []).append(grain)
    return [(tuple(grains), value) for value, grains in found.items()]


def _scan(scans: dict, variant: Variant, grains: Iterable[str], numerator: Side) -> _Scan:
    measure = indicators.load()[variant.indicator].measures[numerator.terms[0].measure]
    name = f"by_{measure.key or 'row'}"
    if any(s.name == name and s.period != variant.period_column for s in scans.values()):
        name = f"{name}_of_{variant.period_column}"
    key = variant.period_column, measure.key
    scan = scans.setdefault(key, _Scan(name, variant.fact, *key))
    scan.grains.update(grains)
    if "cluster" in grains:
        if scan.cluster not in (None, variant.cluster):
            raise indicators.IndicatorError(
                f"{variant.fact}: counted by the clusters {scan.cluster} and {variant.cluster}; one fact has one `cluster:`"
            )
        scan.cluster = variant.cluster
    return scan


@dataclass
class _Select:
    scan: _Scan
    variant: Variant
    grains: tuple[str, ...]
    numerator: str
    denominator: str
    cases: str
    shifted: list[tuple[str, str]]
    """Columns of the scan that are shifted, with their shift."""
    basis: str


def _select(
    scan: _Scan, variant: Variant, grains: tuple[str, ...], numerator: Side, denominator: Side | None
) -> _Select:
    shifted: list[tuple[str, str]] = []
    is_shifted = any(t.shift for s in (numerator, denominator) if s for t in s.terms)

    def column(term: Term) -> str:
        name = _count(scan, variant, term)
        if is_shifted:
            shifted.append((name, term.shift or "now"))
            name = f"{name}_{term.shift}" if term.shift else name
        return f"c.{name}"

    def side(given: Side | None) -> str:
        if given is None:
            return "null"
        names = [column(t) for t in given.terms]
        return {0: "1", 1: names[0] if names else "", 2: f"({' + '.join(names)}) / 2.0"}[len(names)]

    written = side(denominator)
    cities = [g for g in grains if g in variant.share_of_city]
    if cities and denominator:
        (term,) = denominator.terms
        name = _count(scan, variant, term)
        scan.of_city.add(name)
        listed = ", ".join(f"'{g}'" for g in cities)
        written = f"case when c.grain in ({listed}) and c.{name} > 0 then c.{name}_of_city else c.{name} end"
    cases = side(Side((variant.cases,)) if variant.cases else None)
    return _Select(scan, variant, grains, side(numerator), written, cases, shifted, variant.basis)


def _count(scan: _Scan, variant: Variant, term: Term) -> str:
    """The scan's column for a measure under a variant's condition; equal counts share one."""
    measure = indicators.load()[variant.indicator].measures[term.measure]
    where = all_of([variant.where, measure.where])
    written = _written(where) if where else None
    known = scan.counts.get((measure.amount, written))
    if known:
        return known.name
    taken = {c.name for c in scan.counts.values()}
    wished = (
        f"{variant.indicator}_{measure.name}",
        f"{variant.code}_{measure.name}",
        f"{variant.code}_v{variant.version}_{measure.name}",
    )
    name = next(n for n in (re.sub(r"[.-]", "_", w.lower()) for w in wished) if n not in taken)
    scan.counts[measure.amount, written] = _Count(name, measure.amount, written)
    return name


def _written(condition: Condition) -> str:
    return condition.text(lambda name: _parameter(name), "{{ as_of() }}")


def _parameter(name: str) -> str:
    value = indicators.parameters()[name]
    return f"'{{{{ var('{name}') }}}}'" if isinstance(value, str) else f"{{{{ var('{name}') }}}}"


def _period_code(scan: _Scan) -> str:
    return scan.period if scan.year_kind == "text" else f"cast({scan.period} as text)"


def _cte(name: str, columns: Iterable[str], source: str) -> str:
    return f"{name} as (\n    select\n        " + ",\n        ".join(columns) + f"\n    {source}\n)"


def _ctes(scan: _Scan) -> list[str]:
    """The rows of a scan with the columns of its grains, each key of a unit once, and the counts by unit."""
    grains, counts = scan.ordered_grains(), list(scan.counts.values())
    parts, source = [_rows(scan, grains)], f"{scan.name}_rows"
    units, group = [_grain_columns(grains)], _by_grain([scan.period], grains)
    if scan.key:
        once = [scan.period, scan.key, *units, *(f"{_once(c)} as {c.name}" for c in counts)]
        parts.append(
            _cte(
                f"{scan.name}_once", once, f"from {source}\n    {_by_grain([scan.period, scan.key], grains)}"
            )
        )
        source = f"{scan.name}_once"
        units, group = ["grain", "unit_code"], f"group by {scan.period}, grain, unit_code"
    period = [scan.period, f"{_period_code(scan)} as period_code"]
    counted = [f"{_aggregate(c, scan.key)} as {c.name}" for c in counts]
    parts.append(_cte(scan.name, [*period, *units, *counted], f"from {source}\n    {group}"))
    if scan.of_city:
        over = f"filter (where grain = 'city') over (partition by {scan.period})"
        city = [f"max({n}) {over} as {n}_of_city" for n in sorted(scan.of_city)]
        parts.append(_cte(f"{scan.name}_of_city", ["*", *city], f"from {scan.name}"))
    return parts


def _rows(scan: _Scan, grains: list[str]) -> str:
    """The fact's columns that the scan needs."""
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
    if "cluster" in grains and scan.cluster == BY_DISCIPLINE:
        names.append("m.cluster_code")
        joined = "\n    left join {{ ref('bridge_key_cluster') }} as m"
        joined += "\n        on m.discipline_code = f.discipline_code and m.is_matched"
    elif "cluster" in grains:
        own = f"f.{scan.cluster}"
        names = [n for n in names if n != own] + [
            own if scan.cluster == "cluster_code" else f"{own} as cluster_code"
        ]
    where = " and ".join(f"f.{c} is not null" for c in (scan.period, scan.key) if c)
    where += f" and {{{{ touched('f.{scan.period}') }}}}"
    return _cte(
        f"{scan.name}_rows", names, f"from {{{{ ref('{scan.fact}') }}}} as f{joined}\n    where {where}"
    )


def _columns_of(where: str | None, fact: str) -> list[str]:
    """The fact's columns that a written condition names."""
    text = re.sub(r"'[^']*'|\{\{.*?\}\}", "", where or "")
    return [w for w in re.findall(r"[a-z_]\w*", text) if w in indicators.facts()[fact]]


def _once(count: _Count) -> str:
    """A key's part in a count: whether one of its rows meets the condition, or its greatest amount."""
    if count.amount:
        return f"max({count.amount})" + (f" filter (where {count.where})" if count.where else "")
    return f"bool_or({count.where})" if count.where else "true"


def _aggregate(count: _Count, key: str | None) -> str:
    if key:
        return f"coalesce(sum({count.name}), 0)" if count.amount else f"count(*) filter (where {count.name})"
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


def _shifted_cte(scan: _Scan, basis: str, selects: list[_Select]) -> str:
    """Counts by period of a basis, with those of other years beside them."""
    wanted = dict.fromkeys(pair for s in selects if s.scan is scan and s.basis == basis for pair in s.shifted)
    year, period = f"c.{scan.period}", "p.period_year"
    within = {"now": "{year} = {period}"} | WITHIN
    columns = [
        f"coalesce(sum(c.{name}) filter (where {within[shift].format(year=year, period=period)}), 0) as "
        + (name if shift == "now" else f"{name}_{shift}")
        for name, shift in wanted
    ]
    join = (
        f"from {{{{ ref('ind_period') }}}} as p\n    inner join {scan.name} as c\n"
        f"        on {year} between {period} - 3 and {period} or {year} = {{{{ var('base_year') }}}}\n"
        f"    where p.period_basis = '{basis}'\n    group by p.period_code, c.grain, c.unit_code"
    )
    return _cte(f"{scan.name}_{basis.lower()}", ["p.period_code", "c.grain", "c.unit_code", *columns], join)


def _union(selects: list[_Select]) -> list[str]:
    """One select per source and set of grains, its variants as values beside each other."""
    groups: dict[tuple, list[_Select]] = {}
    for s in selects:
        source = (
            f"{s.scan.name}_{s.basis.lower()}"
            if s.shifted
            else s.scan.name + ("_of_city" if s.scan.of_city else "")
        )
        groups.setdefault((source, s.scan.name, s.grains), []).append(s)
    found = []
    for (source, name, grains), members in groups.items():
        scan = next(s.scan for s in members if s.scan.name == name)
        values = ",\n        ".join(
            f"('{s.variant.code}', {s.variant.version}, cast({s.numerator} as double precision), "
            f"cast({s.denominator} as double precision), cast({s.cases} as double precision))"
            for s in members
        )
        listed = ", ".join(f"'{g}'" for g in grains)
        only = "" if set(grains) == scan.grains else f"\n    and c.grain in ({listed})"
        found.append(
            "select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,\n"
            "    v.numerator, v.denominator, v.case_count\n"
            f"from {source} as c\ncross join lateral (\n    values\n        {values}\n"
            ") as v (variant_code, definition_version, numerator, denominator, case_count)\n"
            f"where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0){only}"
        )
    return found
