"""Credibility of indicators (levels 4-5): runs the checks of indicator_rules.py on the indicators and the star.

Judged is the latest complete period of a check's variant, per institution; a running change and a single row also in the
period that is running. Everything is counted in the database and judged on arrays (checks.py).
"""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import psycopg

from yuyan.assess import checks, frames
from yuyan.assess.checks import Checked
from yuyan.domain.credibility_rules import Check, load

COLUMNS = [
    "rule_id",
    "src_inst_code",
    "variant_code",
    "category",
    "period_code",
    "observed",
    "expected",
    "threshold",
    "is_alarm",
    "explanation",
    "cases",
]

_VALUES = """
select v.variant_code, v.unit_code, v.period_code, v.period_year, v.numerator, v.denominator, v.value
from indicators.ind_value v join (
    select distinct on (variant_code) variant_code, definition_version
    from plan.indicator order by variant_code, is_official desc, definition_version desc
) in_force using (variant_code, definition_version)
where v.grain = 'institution' and v.is_complete and v.variant_code = any(%s)
"""
_CATEGORIES = """
select inst_code as unit_code, {period} as period_year, coalesce(({category})::text, '-') as category, count(*) as n
from {source} where {eligible} and {period} in ({year} - 1, {year}) group by 1, 2, 3
"""
_HITS = """
select inst_code as unit_code, count(*) filter (where {category}) as hits, count(*) as n
from {source} where {eligible} and {period} = {year} group by 1
"""
_FLOWS = """
with stock as (
    select inst_code, count(*) filter (where census_year = {year} - 1) as before,
        count(*) filter (where census_year = {year}) as now
    from star.fct_enrolment_census where census_year in ({year} - 1, {year}) group by 1
), entered as (
    select inst_code, count(*) as n from star.fct_admission
    where is_registered and exam_year = {year} and degree_level in ('1', '2') group by 1
), departed as (
    select inst_code, count(*) as n from {source} where {eligible} and degree_level in ('1', '2')
        and {period} > make_date({year} - 1, 9, 30) and {period} <= make_date({year}, 9, 30) group by 1
)
select s.inst_code as unit_code, s.before, coalesce(e.n, 0) as entrants, coalesce(d.n, 0) as leavers, s.now
from stock s left join entered e using (inst_code) left join departed d using (inst_code)
"""


_UP_TO_DAY = """
select inst_code as unit_code, extract(year from {period})::int as period_year, ({measure})::float8 as value
from {source}
where {eligible} and {period} <= date '{as_of}' and extract(year from {period}) >= {year} - 8
    and to_char({period}, 'MMDD') <= to_char(date '{as_of}', 'MMDD')
group by 1, 2
"""
_LARGEST = """
select inst_code as unit_code, ({period})::int as period_year, max(abs({measure}))::float8 as largest,
    sum(abs({measure}))::float8 as total, count(*) as n
from {source} where {eligible} and ({period})::int between {year} - 1 and {year} + 1 group by 1, 2
"""


def check(connection: psycopg.Connection, as_of: date) -> pl.DataFrame:
    """Run every check on the indicators and the star as they are; columns COLUMNS, a row per check and institution.

    A check whose variant has no complete period yet has no rows. `threshold` is NULL where too little is there to judge.
    """
    wanted = sorted({c.variant_code for c in load()} | {c.exposure_variant for c in load()} - {""})
    values = frames.read(connection, _VALUES, [wanted])
    parts = [_run(connection, c, values, as_of) for c in load()]
    return pl.concat([p for p in parts if p is not None] or [_empty()])


def _run(connection: psycopg.Connection, c: Check, values: pl.DataFrame, as_of: date) -> pl.DataFrame | None:
    if c.kind.check in _RUNNING:
        units, checked, periods = _RUNNING[c.kind.check](connection, c, as_of)
    else:
        own = values.filter(pl.col("variant_code") == c.variant_code)
        if own.is_empty():
            return None
        period, year = own.sort("period_year").select("period_code", "period_year").row(-1)
        units, checked = _KINDS[c.kind.check](connection, c, own, values, year)
        periods = [period] * len(units)
    rows = pl.DataFrame(
        {"src_inst_code": units, "period_code": periods}
        | {
            k: np.asarray(getattr(checked, k), dtype=float)
            for k in ("observed", "expected", "threshold", "is_alarm")
        }
        | {"cases": np.full(len(units), np.nan) if checked.cases is None else checked.cases},
        schema_overrides={"src_inst_code": pl.String, "period_code": pl.String},
    ).filter(pl.col("observed").is_not_nan())
    return rows.select(
        pl.lit(c.rule_id).alias("rule_id"),
        "src_inst_code",
        pl.lit(c.variant_code).alias("variant_code"),
        pl.lit("" if c.topic == c.variant_code else c.topic).alias("category"),
        "period_code",
        *(pl.col(k).fill_nan(None) for k in ("observed", "expected", "threshold")),
        pl.col("is_alarm") == 1,
        pl.struct("period_code", "observed", "expected", "threshold")
        .map_elements(lambda row: _explain(c, row), pl.String)
        .alias("explanation"),
        pl.col("cases").fill_nan(None),
    )


def _yearly_change(
    connection: Any, c: Check, own: pl.DataFrame, values: pl.DataFrame, year: int
) -> tuple[list, Checked]:
    units, (series, sizes) = _matrix(own, (c.measure, "denominator"))
    found = checks.yearly_change(
        series, sizes / c.design_effect, relative=c.is_relative, noise=c.noise, floor=c.floor, least=c.least
    )
    if c.minimum_n:
        too_few = ~(np.minimum(sizes[:, -1], sizes[:, -2]) >= c.minimum_n)
        found = replace(found, threshold=np.where(too_few, np.nan, found.threshold))
    return units, found


def _peer_funnel(
    connection: Any, c: Check, own: pl.DataFrame, values: pl.DataFrame, year: int
) -> tuple[list, Checked]:
    now = own.filter(pl.col("period_year") == year)
    if c.exposure_variant:
        size = values.filter((pl.col("variant_code") == c.exposure_variant) & (pl.col("period_year") == year))
        now = now.drop("denominator").join(size.select("unit_code", denominator="value"), on="unit_code")
    now = now.sort("unit_code")
    events, sizes = (now[k].cast(pl.Float64).fill_null(0).to_numpy() for k in ("numerator", "denominator"))
    found = checks.peer_funnel(
        events, sizes, kind=c.noise, floor=c.floor, minimum_n=c.minimum_n, design_effect=c.design_effect
    )
    return now["unit_code"].to_list(), found


def _stock_flow(
    connection: psycopg.Connection, c: Check, own: Any, values: Any, year: int
) -> tuple[list, Checked]:
    flows = frames.read(connection, _FLOWS.format(**c.__dict__, year=year)).sort("unit_code")
    columns = (flows[name].to_numpy() for name in ("before", "entrants", "leavers", "now"))
    return flows["unit_code"].to_list(), checks.stock_flow(*columns, floor=c.floor, least=c.least)


def _share_shift(
    connection: psycopg.Connection, c: Check, own: Any, values: Any, year: int
) -> tuple[list, Checked]:
    counted = frames.read(connection, _CATEGORIES.format(**c.__dict__, year=year))
    units, categories = (counted[k].unique().sort() for k in ("unit_code", "category"))
    cube = np.zeros((2, len(units), len(categories)))
    where = (units.search_sorted(counted["unit_code"]), categories.search_sorted(counted["category"]))
    cube[(counted["period_year"] - year + 1).to_numpy(), where[0].to_numpy(), where[1].to_numpy()] = counted[
        "n"
    ]
    return units.to_list(), checks.share_shift(cube[0], cube[1], floor=c.floor, minimum_n=c.minimum_n)


def _heaping(
    connection: psycopg.Connection, c: Check, own: Any, values: Any, year: int
) -> tuple[list, Checked]:
    counted = frames.read(connection, _HITS.format(**c.__dict__, year=year)).sort("unit_code")
    found = checks.heaping(
        counted["hits"].to_numpy(),
        counted["n"].to_numpy(),
        expected=c.expected,
        floor=c.floor,
        minimum_n=c.minimum_n,
    )
    return counted["unit_code"].to_list(), found


def _running_change(
    connection: psycopg.Connection, c: Check, as_of: date
) -> tuple[list[str], Checked, list[str]]:
    """The running year up to this day against the same part of earlier years; a unit with no row of a year has 0."""
    found = frames.read(connection, _UP_TO_DAY.format(**c.__dict__, as_of=as_of, year=as_of.year))
    years = pl.DataFrame(
        {"period_year": range(as_of.year - 8, as_of.year + 1)}, schema={"period_year": pl.Int64}
    )
    grid = found.select("unit_code").unique().join(years, how="cross")
    series = grid.join(found, on=["unit_code", "period_year"], how="left").with_columns(
        pl.col("value").fill_null(0)
    )
    units, (matrix,) = _matrix(series, ("value",)) if len(series) else ([], [np.zeros((0, 9))])
    checked = checks.yearly_change(matrix, None, relative=True, noise=c.noise, floor=c.floor, least=c.least)
    return units, checked, [f"{as_of.year} 年 1 月 1 日至 {as_of.month} 月 {as_of.day} 日"] * len(units)


def _single_row(
    connection: psycopg.Connection, c: Check, as_of: date
) -> tuple[list[str], Checked, list[str]]:
    """The greatest part of a city's total that one row of a unit makes, in the last period and the one that is running.

    The total of a period that has just begun is small: the one before stands in where it is greater.
    """
    found = frames.read(connection, _LARGEST.format(**c.__dict__, year=as_of.year))
    city = found.group_by("period_year").agg(pl.col("total", "n").sum()).sort("period_year").tail(2)
    total, rows = city["total"].max() or 0.0, city["n"].max() or 0
    worst = (
        found.join(city.select("period_year"), on="period_year", how="semi")
        .sort("largest", "period_year")
        .unique("unit_code", keep="last", maintain_order=True)
        .sort("unit_code")
    )
    share = worst["largest"].cast(pl.Float64).to_numpy() / (total or np.nan)
    checked = checks.single_row(share, floor=c.floor, is_judged=rows >= c.minimum_n)
    return worst["unit_code"].to_list(), checked, worst["period_year"].cast(pl.String).to_list()


_RUNNING = {"running_change": _running_change, "single_row": _single_row}
_KINDS = {
    "yearly_change": _yearly_change,
    "peer_funnel": _peer_funnel,
    "stock_flow": _stock_flow,
    "share_shift": _share_shift,
    "heaping": _heaping,
}


def _matrix(own: pl.DataFrame, measures: tuple[str, ...]) -> tuple[list[str], list[np.ndarray]]:
    """Units and, per measure, units × consecutive years (at least two), NaN where there is none."""
    units = own["unit_code"].unique().sort()
    first, last = own["period_year"].min(), own["period_year"].max()
    first = min(first, last - 1)
    row, column = units.search_sorted(own["unit_code"]).to_numpy(), (own["period_year"] - first).to_numpy()
    found = []
    for measure in measures:
        matrix = np.full((len(units), last - first + 1), np.nan)
        matrix[row, column] = own[measure].cast(pl.Float64).fill_null(np.nan).to_numpy()
        found.append(matrix)
    return units.to_list(), found


def _explain(c: Check, row: dict[str, Any]) -> str:
    period = row.pop("period_code")
    shown = {k: _shown(v, c.display) for k, v in row.items()}
    judged = np.isfinite(row["threshold"])
    return (c.kind.explanation if judged else c.kind.not_judged).format(period=period, **shown)


def _shown(value: float, display: str) -> str:
    if not np.isfinite(value):
        return "—"
    return f"{value:.1%}" if display == "percent" else f"{value:,.2f}".rstrip("0").rstrip(".")


def _empty() -> pl.DataFrame:
    kinds = {"observed": pl.Float64, "expected": pl.Float64, "threshold": pl.Float64, "is_alarm": pl.Boolean}
    return pl.DataFrame(schema={name: kinds.get(name, pl.String) for name in COLUMNS})
