"""The stage between the dbt layers `indicators` and `marts`: how sure a value is, how its like fare, where it leads.

What a value is stays the models' business. Reads the indicators, the star and the registry; writes schema `estimates`.
"""

from datetime import date
from typing import Any

import numpy as np
import polars as pl
import psycopg

from yuyan import settings
from yuyan.domain import indicators
from yuyan.estimate import intervals, outlook, peers, registry, sources, statuses, surveys
from yuyan.estimate.composite import Component, composite
from yuyan.estimate.intervals import KEY
from yuyan.estimate.points import scored

COLUMNS = [
    *KEY,
    "estimator",
    "lcl95",
    "ucl95",
    "adjusted_value",
    "benchmark_value",
    "benchmark_error",
    "benchmark_own_share",
    *statuses.COLUMNS,
    "projected_2030",
    "projected_lcl80",
    "projected_ucl80",
    "required_pace",
]
ANSWERS = {"COURSE": sources.COURSES, "EMPLOYER": sources.EMPLOYERS}
"""The registry's `answers` -> the query of those answers."""
SEED = 2026


def estimate(run_id: str, as_of: date) -> dict[str, Any]:
    """Compute all estimates anew and replace the tables in one transaction.

    Returns counts: rows, warnings, scores of degree points, projected, intervals per estimator, and `not_a_rate`: ratios of
    counts without an interval because their numerator is not between 0 and the denominator. `as_of` decides which periods
    are complete.
    Raises psycopg.errors.UndefinedTable when the indicators were not built (run that layer first), registry.RuleError.

    >>> estimate("run-1", date(2026, 10, 15))["intervals"]
    """
    given = indicators.parameters()
    city = str(given["city_code"])
    with psycopg.connect(
        settings.warehouse_dsn("transform"), application_name=f"yuyan estimate {run_id}"[:63]
    ) as connection:
        known = sources.read(connection, sources.REGISTRY)
        values = sources.read(
            connection, sources.VALUES, as_of=as_of, base_year=given["base_year"], doc_version=given["plan_doc_version"]
        )  # fmt: skip
        samplings = sources.read(connection, sources.SAMPLINGS)
        points = sources.read(connection, sources.POINTS)
        answers = {
            name: surveys.by_grain(_answers(connection, query, given["evaluation_instrument"]), city)
            for name, query in ANSWERS.items()
        }
        origins = surveys.by_grain(sources.read(connection, sources.ORIGINS), city)
        ranges, adjusted, trends = _surveys(answers, known)
        ranges += [
            intervals.jeffreys(values, known),
            intervals.sampled(values, samplings, known, city),
        ]
        adjusted += _origin_standardised(origins, city, known)
        benchmarks = peers.benchmarks(_cells(values, points, known))
        warned = _warnings(values, points, known)
        found = _joined(values, known, pl.concat(ranges), adjusted, benchmarks, warned, trends)
        milestones = sources.read(connection, sources.MILESTONES, doc_version=given["plan_doc_version"])
        parts = sources.read(connection, sources.COMPOSITE)
        quality = _composite(values, found, parts, given["base_year"], city)
        scores, signals = _degree_points(connection, int(given["monitor_first_year"]))
        sources.replace(connection, "indicator_estimate", found)
        sources.replace(connection, "rate_warning", warned)
        sources.replace(connection, "composite", quality)
        sources.replace(connection, "feasibility", outlook.feasibility(milestones))
        sources.replace(connection, "point_score", scores)
        sources.replace(connection, "point_signal", signals)
    counted = intervals.counted(values, known)
    return {
        "rows": len(found),
        "warnings": len(warned),
        "scores": scores["score"].count(),
        "projected": found["projected_2030"].count(),
        "not_a_rate": len(counted.filter(~intervals.is_rate())),
        "intervals": dict(
            found.drop_nulls("estimator")["estimator"].value_counts().sort("estimator").iter_rows()
        ),
    }


def _degree_points(connection: psycopg.Connection, first_year: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Scores and signals of every degree point in force, from the first year that is monitored."""
    return scored(
        sources.read(connection, sources.POINT_YEARS, first_year=first_year),
        sources.read(connection, sources.POINT_EVIDENCE),
        sources.read(connection, sources.POINT_COMPONENTS),
        sources.read(connection, sources.POINT_DIMENSIONS),
    )


def _answers(connection: psycopg.Connection, query: str, instrument: str) -> pl.DataFrame:
    given = {"instrument": instrument} if query == sources.COURSES else {}
    return sources.read(connection, query, **given)


def _surveys(
    answers: dict[str, pl.DataFrame], known: pl.DataFrame
) -> tuple[list[pl.DataFrame], list[pl.DataFrame], list[pl.DataFrame]]:
    """Intervals, post-stratified values and trend statuses of the survey variants."""
    rules = registry.rules(known, "city_rule", "TREND")
    ranges, trends = [], []
    adjusted = [pl.DataFrame(schema=dict.fromkeys(KEY, pl.String) | {"adjusted_value": pl.Float64})]
    surveyed = (
        known.drop_nulls("answers").select("variant_code", "answers", "value_upper").sort("variant_code")
    )
    for variant, name, upper in surveyed.iter_rows():
        rows = answers[name].with_columns(x=pl.col("satisfied" if upper == 1 else "score"))
        if rows.is_empty():
            continue
        if variant in registry.variants(known, "estimator", "WEIGHTED"):
            estimated = surveys.weighted(rows)
            ranges.append(surveys.weighted_intervals(estimated, variant))
        else:
            estimated = surveys.ratio(rows)
            ranges.append(surveys.clustered(estimated, variant, upper))
        if variant in registry.variants(known, "adjustment", "POST-STRATIFIED"):
            estimated = surveys.ratio(rows, is_post_stratified=True)
            adjusted.append(_adjusted(estimated, variant))
        if variant in rules:
            trends.append(surveys.judged(estimated, variant, rules[variant]))
    return ranges, adjusted, trends


def _origin_standardised(origins: pl.DataFrame, city: str, known: pl.DataFrame) -> list[pl.DataFrame]:
    of_city = origins.filter(pl.col("grain") == "city").with_columns(
        stratum=pl.col("stratum").str.split("|").list.last()
    )
    rows = pl.concat([origins.filter(pl.col("grain") != "city"), of_city])
    rows = rows.group_by(*surveys.UNIT, "stratum").agg(pl.sum("x", "n")).sort(*surveys.UNIT, "stratum")
    found = surveys.standardised_by_origin(rows)
    return [_adjusted(found, variant) for variant in registry.variants(known, "adjustment", "ORIGIN")]


def _adjusted(found: pl.DataFrame, variant: str) -> pl.DataFrame:
    return found.select(variant_code=pl.lit(variant), **{c: c for c in KEY[1:]}, adjusted_value="rate")


def _cells(values: pl.DataFrame, points: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The degree points' counts of the variants with benchmarks, with the stratum of each."""
    wanted = registry.variants(known, "comparator", "BENCHMARK")
    rows = values.filter(
        (pl.col("grain") == "degree_point") & pl.col("variant_code").is_in(wanted) & intervals.is_rate()
    )
    stratum = pl.concat_str("degree_level", "degree_type", "category_code", separator="-")
    return rows.join(points, on="unit_code").select(
        *("variant_code", "period_code", "inst_code", "numerator", "denominator"),
        degree_point_id="unit_code",
        stratum=stratum,
    )


def _warnings(values: pl.DataFrame, points: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """W02 for every variant whose unit rule is RATE, on complete years."""
    group = pl.concat_str("degree_level", "category_code", separator="-")
    groups = points.select("unit_code", group=group)
    found = []
    for variant, rule in registry.rules(known, "unit_rule", "RATE").items():
        rows = values.filter(
            (pl.col("variant_code") == rule.parameters["counts"])
            & pl.col("grain").is_in(["institution", "degree_point"])
            & pl.col("is_complete")
            & intervals.is_rate()
        )
        rows = rows.join(groups, on="unit_code", how="left").with_columns(pl.col("group").fill_null("city"))
        found.append(peers.warnings(rows, variant, rule))
    return pl.concat(found)


def _joined(
    values: pl.DataFrame,
    known: pl.DataFrame,
    ranges: pl.DataFrame,
    adjusted: list[pl.DataFrame],
    benchmarks: pl.DataFrame,
    warned: pl.DataFrame,
    trends: list[pl.DataFrame],
) -> pl.DataFrame:
    """One row per value that something is said of, columns COLUMNS."""
    judged = statuses.judged(values, known, ranges, benchmarks, warned, trends)
    found = values.select(KEY)
    for part in (
        ranges.drop("probability_below"),
        pl.concat(adjusted),
        benchmarks.drop("observed", "cases"),
        judged,
        outlook.projections(values, known),
        outlook.pace(values),
    ):
        found = found.join(part, on=KEY, how="left")
    found = found.with_columns(pl.col(n).fill_nan(None) for n, t in found.schema.items() if t.is_float())
    return (
        found.select(COLUMNS).filter(pl.any_horizontal(pl.col(COLUMNS[len(KEY) :]).is_not_null())).sort(KEY)
    )


def _composite(
    values: pl.DataFrame, found: pl.DataFrame, parts: pl.DataFrame, base_year: int, city: str
) -> pl.DataFrame:
    """H16 from the city's series of its parts (seed plan/composite.csv) and their standard errors; rows of composite."""
    weights = dict(parts.select("variant_code", "weight").iter_rows())
    rows = values.filter(pl.col("is_complete") & pl.col("variant_code").is_in(list(weights))).join(
        found.select(*KEY, "lcl95", "ucl95", "adjusted_value"), on=KEY, how="left"
    )
    rows = rows.with_columns(
        level=pl.coalesce("adjusted_value", "value"), error=(pl.col("ucl95") - pl.col("lcl95")) / (2 * 1.96)
    )
    years = sorted(rows["period_year"].unique().to_list())
    components = []
    for variant, weight in weights.items():
        own = rows.filter(pl.col("variant_code") == variant)
        spread = own.filter(pl.col("grain") == "institution")["level"].std()
        series = dict(
            own.filter(pl.col("unit_code") == city)
            .select("period_year", pl.struct("level", "error"))
            .iter_rows()
        )
        at = [series.get(year, {"level": np.nan, "error": np.nan}) for year in years]
        arrays = (np.array([a[name] for a in at], dtype=float) for name in ("level", "error"))
        components.append(Component(variant, weight, spread or 1.0, *arrays))
    figures = dict.fromkeys(["value", "change", "change_lcl90", "change_ucl90"], pl.Float64)
    schema = {"indicator_code": pl.String, "period_year": pl.Int64, **figures, "direction": pl.String}
    has_base = base_year in years and all(not np.isnan(c.values[years.index(base_year)]) for c in components)
    series_of_city = composite(years, components, base_year, SEED) if has_base else []
    return pl.DataFrame(
        [
            (
                parts["indicator_code"][0],
                t.year,
                t.value,
                t.change,
                t.lower,
                t.upper,
                t.direction,
                t.components,
            )
            for t in series_of_city
        ],
        schema=schema | {"components": pl.String},
        orient="row",
    )
