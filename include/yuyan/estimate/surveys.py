"""Surveys: intervals with the design in them, post-stratified satisfaction, origin-standardised shares, and the trend test.

Answers are frames of one row per cluster (a course offering, a questionnaire): grain, unit_code, period_code, period_year,
stratum, x (numerator), n (denominator) and frame (whom the stratum stands for); made by `by_grain`.
"""

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from yuyan.estimate import rates, standardise
from yuyan.estimate.intervals import KEY
from yuyan.estimate.registry import Rule
from yuyan.estimate.trend import YEARS, rate_error, trend

UNIT = ["grain", "unit_code", "period_code"]


def by_grain(rows: pl.DataFrame, city: str) -> pl.DataFrame:
    """Each row once for its institution and once for the city, where strata of different institutions stay apart."""
    own = rows.with_columns(grain=pl.lit("institution"), unit_code="inst_code")
    of_city = rows.with_columns(
        grain=pl.lit("city"),
        unit_code=pl.lit(city),
        stratum=pl.concat_str("inst_code", "stratum", separator="|"),
    )
    return pl.concat([own, of_city]).filter(pl.col("n") > 0)


def ratio(answers: pl.DataFrame, is_post_stratified: bool = False) -> pl.DataFrame:
    """grain, unit_code, period_code, period_year, rate, error: ratio of sums, or weighted to the frame of each stratum.

    Errors are cluster-robust; one cluster has none. An error is widened by Student's t over the normal quantile, so that
    1.96 of it is the 95 % half width also where courses are few: degrees of freedom are one less than the effective number
    of clusters, (sum w n)^2 / sum (w n)^2, since a few large courses decide (Kish 1965).
    """
    stratum = [*UNIT, "stratum"]
    weight = pl.col("frame").sum().over(stratum) / pl.col("n").sum().over(stratum)
    rows = answers.with_columns(
        cell=pl.concat_str(UNIT, separator="|"), w=weight if is_post_stratified else pl.lit(1.0)
    ).sort("cell")
    cells = rows.group_by("cell", maintain_order=True).agg(
        pl.first(*UNIT, "period_year"),
        rate=(pl.col("w") * pl.col("x")).sum() / (pl.col("w") * pl.col("n")).sum(),
        effective=(pl.col("w") * pl.col("n")).sum() ** 2 / ((pl.col("w") * pl.col("n")) ** 2).sum(),
    )
    error = standardise.cluster_error(*(rows[c].to_numpy() for c in ("cell", "x", "n", "w")))
    few = stats.t.ppf(0.975, np.maximum(cells["effective"].to_numpy() - 1, 1)) / stats.norm.ppf(0.975)
    return cells.drop("cell", "effective").with_columns(error=pl.Series(error * few))


def clustered(found: pl.DataFrame, variant: str, upper: float) -> pl.DataFrame:
    """`ratio` as intervals: rate +- 1.96 errors; shares (`upper` 1) on the logit scale, scores between 0 and `upper`."""
    half = stats.norm.ppf(0.975) * found["error"].to_numpy()
    lower, higher = (
        share_limits(found["rate"].to_numpy(), half)
        if upper == 1
        else np.clip([found["rate"].to_numpy() - half, found["rate"].to_numpy() + half], 0, upper)
    )
    return found.select(
        variant_code=pl.lit(variant),
        **{c: c for c in UNIT},
        estimator=pl.lit("CLUSTERED"),
        lcl95=pl.lit(pl.Series(lower, dtype=pl.Float64)),
        ucl95=pl.lit(pl.Series(higher, dtype=pl.Float64)),
        probability_below=pl.lit(None, pl.Float64),
    ).drop_nans("lcl95")


def share_limits(share: ArrayLike, half: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """expit(logit p -+ half / (p (1 - p))): near 1 a share is uncertain downward more than upward.

    Korn, Graubard (1998), Confidence intervals for proportions with small expected number of positive counts estimated from
    survey data, Survey Methodology 24(2). No limit where there is no half width (NaN); the share itself where it is 0.
    """
    p = np.clip(np.asarray(share, dtype=float), 1e-12, 1 - 1e-12)
    centre, width = special.logit(p), np.asarray(half, dtype=float) / (p * (1 - p))
    return special.expit(centre - width), special.expit(centre + width)


def weighted(answers: pl.DataFrame) -> pl.DataFrame:
    """grain, unit_code, period_code, period_year, rate, effective, error: a weighted share.

    `effective` is Kish's number of answers, (sum w)^2 / sum w^2. Here n is the design weight of an
    answer and x that weight where it counts.
    """
    found = (
        answers.group_by(*UNIT, "period_year")
        .agg(
            rate=pl.col("x").sum() / pl.col("n").sum(),
            effective=pl.col("n").sum() ** 2 / (pl.col("n") ** 2).sum(),
        )
        .sort(UNIT)
    )
    share, n = found["rate"].to_numpy(), found["effective"].to_numpy()
    return found.with_columns(error=pl.Series(rate_error(share * n, n)))


def weighted_intervals(found: pl.DataFrame, variant: str) -> pl.DataFrame:
    """Intervals of weighted shares, on their effective numbers of answers."""
    n = found["effective"].to_numpy()
    lower, upper = rates.interval(np.minimum(found["rate"].to_numpy() * n, n), n)
    return found.select(
        variant_code=pl.lit(variant),
        **{c: c for c in UNIT},
        estimator=pl.lit("WEIGHTED"),
        lcl95=pl.lit(pl.Series(lower)),
        ucl95=pl.lit(pl.Series(upper)),
        probability_below=pl.lit(None, pl.Float64),
    )


def standardised_by_origin(graduates: pl.DataFrame) -> pl.DataFrame:
    """grain, unit_code, period_code, rate: the share at the city's mix of origins of the year.

    `graduates`: grain, unit_code, period_code, stratum (origin), x, n, one row per unit and origin. Retaining locals is
    easier than winning people from elsewhere; a university of locals is not better for it.
    """
    mix = graduates.filter(pl.col("grain") == "city").select("period_code", "stratum", weight="n")
    rows = graduates.join(mix, on=["period_code", "stratum"], how="inner").with_columns(
        cell=pl.concat_str(UNIT, separator="|")
    )
    found = standardise.standardised(*(rows[c].to_numpy() for c in ("cell", "x", "n", "weight")))
    at = pl.DataFrame({"cell": found.units, "rate": found.rate}, schema_overrides={"cell": pl.String})
    return at.join(rows.unique("cell").select("cell", *UNIT), on="cell").select(*UNIT, "rate").sort(UNIT)


def judged(found: pl.DataFrame, variant: str, rule: Rule) -> pl.DataFrame:
    """The trend test of a target "keeps rising" for every unit and year: KEY, probability_decline, status_code, reason.

    `found`: grain, unit_code, period_code, period_year, rate, error. The test of a year looks at the YEARS years up to it.
    """
    years = np.arange(found["period_year"].min(), found["period_year"].max() + 1)
    units = found.select("grain", "unit_code").unique().sort("grain", "unit_code").with_row_index("row")
    rows = found.join(units, on=["grain", "unit_code"])
    values, errors = (np.full((len(units), YEARS - 1 + len(years)), np.nan) for _ in range(2))
    at = rows["row"].to_numpy(), rows["period_year"].to_numpy() - years[0] + YEARS - 1
    values[at], errors[at] = rows["rate"].to_numpy(), rows["error"].to_numpy()
    parts = []
    for i, year in enumerate(years):
        window = slice(i, i + YEARS)
        result = trend(
            values[:, window],
            errors[:, window],
            tolerance=rule.number("tolerance"),
            certain=rule.number("red"),
        )
        parts.append(
            units.with_columns(
                period_year=pl.lit(year, found.schema["period_year"]),
                probability_decline=pl.Series(result.probability_decline),
                status_code=pl.Series(result.status),
            )
        )
    return (
        rows.join(pl.concat(parts), on=["grain", "unit_code", "period_year"])
        .filter(pl.col("status_code") != "GREY")  # no year before: the path rule says so
        .select(
            pl.lit(variant).alias("variant_code"),
            *KEY[1:],
            "probability_decline",
            "status_code",
            pl.lit(None, pl.String).alias("status_reason_code"),
            pl.lit(YEARS, pl.Int64).alias("pooled_years"),
        )
    )
