"""The stage between the dbt layers `indicators` and `marts`: writes estimates.indicator_estimate.

Reads indicators.ind_value and ind_status, star.fct_thesis_sampling and plan.target. What a value is stays the models'
business; this adds how sure it is and where it leads.
"""

import zlib
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import psycopg
import yaml

from yuyan import settings
from yuyan.estimate import paths, rates, stratified

KEY = ["variant_code", "grain", "unit_code", "period_code"]
COLUMNS = [
    *KEY,
    "estimator",
    "lcl95",
    "ucl95",
    "projected_2030",
    "projected_lcl80",
    "projected_ucl80",
    "required_pace",
]
SCORES = ["H06b", "H15b"]
"""Ratios that are mean scores of 1 to 5, not rates."""
NOT_COUNTS = [*SCORES, "H15"]
"""Ratios that are no ratio of counts: the scores, and the employer survey's weighted share."""
STRATIFIED = {"H09": None, "H09a": ["1"], "H09b": ["21"], "H09c": ["22"]}
"""Variants of the stratified estimator -> degree level and type of the theses they are of; None is all."""
HORIZON = 2030
PACED = ["LINEAR", "STEP", "CAGR", "PIECEWISE", "BACKLOADED"]
"""Path kinds that lead somewhere; a floor or a trend needs no pace."""
SEED = 2026

_VALUES = """
select v.variant_code, v.grain, v.unit_code, v.period_code, v.period_year, v.value_kind,
    v.period_end_on <= %(as_of)s as is_complete, v.numerator, v.denominator, v.value, s.target_value as target,
    extract(year from t.due_on)::int as due_year,
    coalesce(t.baseline_year, %(base_year)s)::int as base_year, t.path_kind
from indicators.ind_value v
left join indicators.ind_status s using (variant_code, grain, unit_code, period_code)
left join plan.target t on t.variant_code = v.variant_code and t.doc_version = %(doc_version)s
"""
_SAMPLINGS = """
select sampling_year::text as period_code, inst_code, authority_code || '|' || stratum_code as stratum,
    case degree_level when '1' then '1' else degree_level || degree_type end as kind,
    sampling_weight::float8 as weight, verdict_code = '1' as is_passed
from star.fct_thesis_sampling
where authority_code in ('1', '2') and not is_targeted and verdict_code in ('1', '2')
"""


def estimate(run_id: str, as_of: date) -> dict[str, Any]:
    """Compute the estimates of every indicator value anew and replace the table in one transaction.

    Returns counts: rows, jeffreys, stratified, projected, and `not_a_rate`: ratios without an interval because their
    numerator is not between 0 and the denominator (an average population can be smaller than the persons of the year).
    `as_of` decides which periods are complete.
    Raises psycopg.errors.UndefinedTable when the indicators were not built; run that layer first.
    """
    variables = yaml.safe_load((settings.DBT_PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))[
        "vars"
    ]["yuyan"]
    given = {
        "as_of": as_of,
        "base_year": variables["base_year"],
        "doc_version": variables["plan_doc_version"],
    }
    with psycopg.connect(
        settings.warehouse_dsn(), application_name=f"yuyan estimate {run_id}"[:63]
    ) as connection:
        connection.execute(Path(__file__).with_name("estimates.sql").read_text(encoding="utf-8"))
        values = _read(connection, _VALUES, given)
        samplings = _read(connection, _SAMPLINGS, {})
        intervals = pl.concat(
            [_jeffreys(values), _stratified(values, samplings, str(variables["city_code"]))], how="vertical"
        )
        found = (
            values.select(*KEY, required_pace=_pace(values))
            .join(intervals, on=KEY, how="left")
            .join(_projections(values), on=KEY, how="left")
            .select(pl.col(c).fill_nan(None) if c not in [*KEY, "estimator"] else pl.col(c) for c in COLUMNS)
            .filter(pl.any_horizontal(pl.col(COLUMNS[len(KEY) :]).is_not_null()))
            .sort(KEY)
        )
        connection.execute("truncate estimates.indicator_estimate")
        with connection.cursor().copy(
            f"copy estimates.indicator_estimate ({', '.join(COLUMNS)}) from stdin"
        ) as copy:
            for row in found.iter_rows():
                copy.write_row(row)
    is_rate = pl.col("value").is_not_null() & _is_ratio_of_counts()
    return {
        "rows": len(found),
        "jeffreys": int((found["estimator"] == "JEFFREYS").sum()),
        "stratified": int((found["estimator"] == "STRATIFIED").sum()),
        "projected": found["projected_2030"].count(),
        "not_a_rate": len(values.filter(is_rate & ~_is_rate())),
    }


def _read(connection: psycopg.Connection, query: str, given: dict[str, Any]) -> pl.DataFrame:
    cursor = connection.execute(query, given)
    types = {"bool": pl.Boolean, "float8": pl.Float64, "int4": pl.Int64, "text": pl.String}
    schema = {c.name: types[psycopg.adapters.types[c.type_code].name] for c in cursor.description}
    return pl.DataFrame(cursor.fetchall(), schema=schema, orient="row")


def _is_ratio_of_counts() -> pl.Expr:
    no_counts = [*NOT_COUNTS, *STRATIFIED]
    return (pl.col("value_kind") == "ratio") & ~pl.col("variant_code").is_in(no_counts)


def _is_rate() -> pl.Expr:
    return (pl.col("numerator") >= 0) & (pl.col("numerator") <= pl.col("denominator"))


def _jeffreys(values: pl.DataFrame) -> pl.DataFrame:
    """Intervals of the ratios of counts, also of periods still running; nothing where the denominator is 0."""
    counted = values.filter(_is_ratio_of_counts() & pl.col("value").is_not_null() & _is_rate())
    lower, upper = rates.jeffreys_interval(counted["numerator"], counted["denominator"])
    return counted.select(
        *KEY, estimator=pl.lit("JEFFREYS"), lcl95=pl.lit(pl.Series(lower)), ucl95=pl.lit(pl.Series(upper))
    )


def _stratified(values: pl.DataFrame, samplings: pl.DataFrame, city: str) -> pl.DataFrame:
    """Intervals of the thesis sampling variants, one per unit and year, each with draws of its own."""
    wanted = values.filter(pl.col("variant_code").is_in(list(STRATIFIED)) & pl.col("value").is_not_null())
    by_year = samplings.partition_by("period_code", as_dict=True)
    rows = []
    for variant, grain, unit, period in wanted.select(KEY).iter_rows():
        cases = by_year.get((period,), samplings.clear())
        if unit != city:
            cases = cases.filter(pl.col("inst_code") == unit)
        if STRATIFIED[variant] is not None:
            cases = cases.filter(pl.col("kind").is_in(STRATIFIED[variant]))
        if len(cases):
            arrays = [cases[c].fill_null("").to_numpy() for c in ("stratum", "kind")]
            strata = stratified.weighted_strata(
                *arrays, cases["weight"].to_numpy(), cases["is_passed"].to_numpy()
            )
            seed = [SEED, zlib.crc32("|".join((variant, unit, period)).encode())]
            rate = stratified.stratified_rate(strata, seed)
            rows.append((variant, grain, unit, period, "STRATIFIED", rate.lower, rate.upper))
    schema = dict.fromkeys([*KEY, "estimator"], pl.String) | dict.fromkeys(["lcl95", "ucl95"], pl.Float64)
    return pl.DataFrame(rows, schema=schema, orient="row")


def _projections(values: pl.DataFrame) -> pl.DataFrame:
    """Projection of each complete city value from the years up to it, so that what was projected then stays on record."""
    city = values.filter((pl.col("grain") == "city") & pl.col("is_complete") & pl.col("value").is_not_null())
    parts = []
    for kind, bounds in (
        ("rate", (0, 1)),
        ("count", (0, np.inf)),
        ("other", (-np.inf, np.inf)),
    ):
        series = city.filter(_bounded_kind() == kind)
        years = np.sort(series["period_year"].unique().to_numpy())
        codes = series["variant_code"].unique().sort()
        row = codes.search_sorted(series["variant_code"]).to_numpy()
        column = np.searchsorted(years, series["period_year"].to_numpy())
        matrix = np.full((len(codes), len(years)), np.nan)
        matrix[row, column] = series["value"].to_numpy()
        found = np.full((3, *matrix.shape), np.nan)
        for i in range(len(years)):
            ahead = paths.project(years[: i + 1], matrix[:, : i + 1], HORIZON, bounds=bounds)
            found[:, :, i] = ahead.value, ahead.lower, ahead.upper
        names = ("projected_2030", "projected_lcl80", "projected_ucl80")
        at = found[:, row, column]
        parts.append(series.select(*KEY, **{name: pl.lit(pl.Series(at[k])) for k, name in enumerate(names)}))
    return pl.concat(parts)


def _bounded_kind() -> pl.Expr:
    is_rate = pl.col("value_kind").is_in(["ratio", "index"]) & ~pl.col("variant_code").is_in(SCORES)
    return (
        pl.when(is_rate)
        .then(pl.lit("rate"))
        .when(pl.col("value_kind") == "count")
        .then(pl.lit("count"))
        .otherwise(pl.lit("other"))
    )


def _pace(values: pl.DataFrame) -> pl.Series:
    """Required change a year of complete values since the base year; NaN where there is no target or no pace to it."""
    is_paced = (
        values["path_kind"].is_in(PACED)
        & values["is_complete"]
        & (values["period_year"] >= values["base_year"])
    )
    columns = [values[c].cast(pl.Float64).to_numpy() for c in ("value", "period_year", "target", "due_year")]
    return pl.Series(np.where(is_paced.fill_null(False).to_numpy(), paths.required_pace(*columns), np.nan))
