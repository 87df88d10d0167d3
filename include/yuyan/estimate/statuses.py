"""Statuses by the statistical rules of the registry, each with what decided it: which rule, which counts, which limit.

A status of here replaces that of the path rule (model ind_status). Of complete periods only. Where the path rule gave a
reason not to judge, that stands, except for the rate rule: it pools years, so its own small-number rule counts.
"""

from typing import Any

import numpy as np
import polars as pl
from scipy import stats

from yuyan.estimate import peers, registry
from yuyan.estimate.intervals import KEY
from yuyan.estimate.registry import Rule
from yuyan.estimate.trend import falling

TYPES: dict[str, Any] = {
    "probability_below": pl.Float64,
    "probability_decline": pl.Float64,
    "status_code": pl.String,
    "status_reason_code": pl.String,
    "pooled_years": pl.Int64,
    "judged_by": pl.String,
    "judged_numerator": pl.Float64,
    "judged_denominator": pl.Float64,
    "judged_value": pl.Float64,
    "judged_floor": pl.Float64,
}
COLUMNS = list(TYPES)


def judged(
    values: pl.DataFrame,
    known: pl.DataFrame,
    ranges: pl.DataFrame,
    benchmarks: pl.DataFrame,
    warned: pl.DataFrame,
    trends: list[pl.DataFrame],
) -> pl.DataFrame:
    """KEY and COLUMNS of every value that a statistical rule judges. `judged_by`: a code of the seed indicator_judgement."""
    complete = values.filter(pl.col("is_complete"))
    single = [t.with_columns(judged_by=pl.lit("TREND")) for t in trends]
    single += [_level(complete, ranges, known)]
    single += [
        _floor(complete, ranges, variant, rule)
        for variant, rule in registry.rules(known, "city_rule", "FLOOR").items()
    ]
    single += [
        peers.judged(benchmarks, variant, rule)
        for variant, rule in registry.rules(known, "unit_rule", "BENCHMARK").items()
    ]
    unjudged = (
        pl.concat([_shaped(p) for p in single])
        .join(complete.select(*KEY, "path_reason"), on=KEY)
        .filter(pl.col("path_reason").is_null())
        .drop("path_reason")
    )
    pooled = [
        _shaped(peers.statuses(warned.filter(pl.col("variant_code") == v), rule)).join(
            complete.select(KEY), on=KEY
        )
        for v, rule in registry.rules(known, "unit_rule", "RATE").items()
    ]
    return pl.concat([unjudged, *pooled])


def _level(complete: pl.DataFrame, ranges: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """RED of the path rule is AMBER where the value's interval still reaches the path: a level judged on noise.

    Rows of other colours stay with the path rule, and so does a RED without an interval.
    """
    of_city, of_units = (set(registry.rules(known, c, "LEVEL")) for c in ("city_rule", "unit_rule"))
    is_city = pl.col("grain") == "city"
    covered = (is_city & pl.col("variant_code").is_in(of_city)) | (
        ~is_city & pl.col("variant_code").is_in(of_units)
    )
    rows = complete.filter(covered & (pl.col("path_status") == "RED")).join(ranges, on=KEY)
    return rows.filter(pl.col("ucl95") >= pl.col("path")).select(
        *KEY,
        status_code=pl.lit("AMBER"),
        judged_by=pl.lit("INTERVAL"),
        judged_numerator="numerator",
        judged_denominator="denominator",
        judged_value="value",
        judged_floor="path",
    )


def _floor(complete: pl.DataFrame, ranges: pl.DataFrame, variant: str, rule: Rule) -> pl.DataFrame:
    """P(true rate < target) of the city; and a fall in each of the last `run` years whose slope is below 0 by `falling`."""
    below = pl.col("probability_below")
    rows = (
        ranges.filter((pl.col("variant_code") == variant) & below.is_not_nan() & below.is_not_null())
        .join(complete.select(*KEY, "period_year", "value", "target"), on=KEY)
        .sort("period_year")
    )
    decline = _run(rows, int(rule.number("run")))
    rows = rows.with_columns(probability_decline=pl.Series(decline, dtype=pl.Float64))
    is_run = pl.col("probability_decline").fill_nan(None).fill_null(0) >= rule.number("falling")
    is_low = pl.col("value") < pl.col("target")
    return rows.select(
        *KEY,
        "probability_below",
        "probability_decline",
        status_code=pl.when(below >= rule.number("red"))
        .then(pl.lit("RED"))
        .when((below >= rule.number("amber")) | is_run)
        .then(pl.lit("AMBER"))
        .otherwise(pl.lit("GREEN")),
        judged_by=pl.when(below >= rule.number("amber"))
        .then(pl.lit("FLOOR"))
        .when(is_run)
        .then(pl.lit("RUN"))
        .when(is_low)
        .then(pl.lit("CHANCE"))
        .otherwise(pl.lit("FLOOR")),
        pooled_years=pl.lit(1, pl.Int64),
        judged_value="value",
        judged_floor="target",
    )


def _run(rows: pl.DataFrame, years: int) -> np.ndarray:
    """`trend.falling` of each row's year and the years before it; NaN without all of them."""
    at = {year: i for i, year in enumerate(rows["period_year"])}
    value = rows["value"].to_numpy()
    error = ((rows["ucl95"] - rows["lcl95"]) / (2 * stats.norm.ppf(0.975))).to_numpy()
    windows = [[at.get(year - back) for back in range(years - 1, -1, -1)] for year in at]
    y, e = (
        np.array([[np.nan if i is None else a[i] for i in window] for window in windows]).reshape(-1, years)
        for a in (value, error)
    )
    return falling(y, e)


def _shaped(part: pl.DataFrame) -> pl.DataFrame:
    return part.select(
        *KEY,
        *(pl.col(n).cast(t) if n in part.columns else pl.lit(None, t).alias(n) for n, t in TYPES.items()),
    )
