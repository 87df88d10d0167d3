"""One model of dbt per fact that an indicator counts, as SQL: all grains and all indicators of the fact in one scan.

Plain rows are counted in one scan, and what counts once by a key in one scan per key (`scans`). A row stands only where
something was counted.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from yuyan.domain import indicators
from yuyan.domain.conditions import Condition, all_of
from yuyan.domain.indicators import Side, Term, Variant
from yuyan.domain.indicators.scans import Count, Scan, cte, ctes

GENERATED = "由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。"
COMPARED_WITH_DAY = re.compile(r"\b(\w+) (?:<>|[<>]=?|=) \{\{ as_of\(\) \}\}")
"""A column that a condition compares with the run's date."""
WITHIN = {
    "base": "{year} = {{{{ var('base_year') }}}}",
    "previous": "{year} = {period} - 1",
    "three_years": "{year} between {period} - 2 and {period}",
    "three_years_before": "{year} between {period} - 3 and {period} - 1",
}
"""Shift of a measure -> the years that it adds up, of the counted year and the period's."""


def models() -> dict[str, str]:
    """Model name -> SQL of dbt, one per fact that an indicator counts: `ind_counted_employment` for fct_employment."""
    by_fact: dict[str, list[Variant]] = {}
    for variant in indicators.variants():
        by_fact.setdefault(variant.fact, []).append(variant)
    return {_model_name(fact): _model(fact, of_fact) for fact, of_fact in sorted(by_fact.items())}


def _model_name(fact: str) -> str:
    return "ind_counted_" + fact.removeprefix("fct_")


def _model(fact: str, of_fact: list[Variant]) -> str:
    scans: dict[tuple[str, str | None], Scan] = {}
    selects = []
    for variant in of_fact:
        for grains, (numerator, denominator) in _by_value(variant):
            scan = _scan(scans, variant, grains, numerator)
            selects.append(_select(scan, variant, grains, numerator, denominator))
    codes = sorted({v.indicator for v in of_fact})
    parts = [p for scan in scans.values() for p in ctes(scan)]
    shifted = sorted({(s.scan.name, s.basis) for s in selects if s.shifted})
    for name, basis in shifted:
        scan = next(s for s in scans.values() if s.name == name)
        parts.append(_shifted_cte(scan, basis, selects))
    sql = "with " + ",\n\n".join(parts) + "\n\n" + "\nunion all\n".join(_union(selects)) + "\n"
    return f"-- {', '.join(codes)}：{GENERATED}\n" + _follows(fact, scans.values(), bool(shifted), sql) + sql


def _follows(fact: str, scans: Iterable[Scan], is_shifted: bool, sql: str) -> str:
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


def _scan(scans: dict, variant: Variant, grains: Iterable[str], numerator: Side) -> Scan:
    measure = indicators.load()[variant.indicator].measures[numerator.terms[0].measure]
    name = f"by_{measure.key or 'row'}"
    if any(s.name == name and s.period != variant.period_column for s in scans.values()):
        name = f"{name}_of_{variant.period_column}"
    key = variant.period_column, measure.key
    scan = scans.setdefault(key, Scan(name, variant.fact, *key))
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
    scan: Scan
    variant: Variant
    grains: tuple[str, ...]
    numerator: str
    denominator: str
    cases: str
    shifted: list[tuple[str, str]]
    """Columns of the scan that are shifted, with their shift."""
    basis: str


def _select(
    scan: Scan, variant: Variant, grains: tuple[str, ...], numerator: Side, denominator: Side | None
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


def _count(scan: Scan, variant: Variant, term: Term) -> str:
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
    scan.counts[measure.amount, written] = Count(name, measure.amount, written)
    return name


def _written(condition: Condition) -> str:
    return condition.text(lambda name: _parameter(name), "{{ as_of() }}")


def _parameter(name: str) -> str:
    value = indicators.parameters()[name]
    return f"'{{{{ var('{name}') }}}}'" if isinstance(value, str) else f"{{{{ var('{name}') }}}}"


def _shifted_cte(scan: Scan, basis: str, selects: list[_Select]) -> str:
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
    return cte(f"{scan.name}_{basis.lower()}", ["p.period_code", "c.grain", "c.unit_code", *columns], join)


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
