"""Units beside each other: pooled warnings (W02), benchmarks of like with like, and the rule that compares with them."""

import numpy as np
import polars as pl

from yuyan.estimate import rates, standardise
from yuyan.estimate.intervals import KEY
from yuyan.estimate.registry import Rule

POOLED = (3, 5)
WARNING = [
    *KEY,
    "pooled_years",
    "prior_group",
    "sound",
    "cases",
    "prior_mean",
    "prior_strength",
    "shrunk_value",
    "lcl95",
    "ucl95",
    "floor_value",
    "probability_below",
    "q_value",
    "status_code",
]
"""Columns of estimates.rate_warning."""


def warnings(counts: pl.DataFrame, variant: str, rule: Rule) -> pl.DataFrame:
    """The rate rule for every institution and degree point and every year, pooled over 3 and 5 years; columns WARNING.

    `counts`: grain, unit_code, group, period_year, numerator, denominator. Priors are fitted per group on the window's
    counts; q-values count the units of a grain and window as one family of tests.
    """
    found = []
    for (grain,), rows in counts.partition_by("grain", as_dict=True, maintain_order=True).items():
        units = rows.select("unit_code", "group").unique().sort("unit_code").with_row_index("row")
        years = np.arange(rows["period_year"].min(), rows["period_year"].max() + 1)
        at = (
            rows.join(units, on="unit_code")["row"].to_numpy(),
            rows["period_year"].to_numpy() - years[0],
        )
        sound, cases = (np.zeros((len(units), len(years))) for _ in range(2))
        sound[at], cases[at] = rows["numerator"].to_numpy(), rows["denominator"].to_numpy()
        for window in POOLED:
            x, n = rates.pooled(sound, window), rates.pooled(cases, window)
            for i, year in enumerate(years):
                if n[:, i].any():
                    found.append(_window(units, grain, variant, rule, int(year), window, x[:, i], n[:, i]))
    kinds = dict.fromkeys((*KEY, "prior_group", "status_code"), pl.String) | {"pooled_years": pl.Int64}
    return pl.concat(found) if found else pl.DataFrame(schema=dict.fromkeys(WARNING, pl.Float64) | kinds)


def statuses(found: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """The warnings of the rule's own window as statuses, with the counts and the shrunk rate that decided."""
    is_few = pl.col("status_code") == "GREY"
    return found.filter(pl.col("pooled_years") == int(rule.number("years"))).select(
        *KEY,
        "probability_below",
        "status_code",
        pl.when(is_few).then(pl.lit("SMALL-N")).alias("status_reason_code"),
        "pooled_years",
        judged_by=pl.lit("RATE"),
        judged_numerator="sound",
        judged_denominator="cases",
        judged_value="shrunk_value",
        judged_floor="floor_value",
    )


def benchmarks(cells: pl.DataFrame) -> pl.DataFrame:
    """KEY, benchmark_value, benchmark_error, benchmark_own_share, observed, cases of institutions and degree points.

    `cells`: variant_code, period_code, inst_code, degree_point_id, stratum (level, type and discipline category), numerator,
    denominator, one row per degree point: the cells of like with like.
    """
    parts = []
    for grain, column in (("institution", "inst_code"), ("degree_point", "degree_point_id")):
        keyed = cells.with_columns(
            cell=pl.concat_str("variant_code", column, "period_code", separator="\x01"),
            like=pl.concat_str("variant_code", "period_code", "stratum", separator="\x01"),
        )
        found = standardise.benchmark(
            *(keyed[c].to_numpy() for c in ("cell", "like", "numerator", "denominator"))
        )
        units = keyed.group_by("cell").agg(
            pl.first("variant_code", "period_code"),
            pl.first(column).alias("unit_code"),
            cases=pl.col("denominator").sum(),
        )
        at = pl.DataFrame(
            {
                "cell": found.units,
                "benchmark_value": found.expected,
                "benchmark_error": found.error,
                "benchmark_own_share": found.own_share,
                "observed": found.observed,
            },
            schema_overrides={"cell": pl.String},
        )
        parts.append(at.join(units, on="cell").with_columns(grain=pl.lit(grain)))
    names = ["benchmark_value", "benchmark_error", "benchmark_own_share", "observed", "cases"]
    return pl.concat(parts).filter(pl.col("cases") > 0).select(*KEY, *names)


def judged(found: pl.DataFrame, variant: str, rule: Rule) -> pl.DataFrame:
    """Institutions against their benchmark less a margin: P(true rate < benchmark - margin).

    The thresholds work as in the rate rule, with at least one adverse case. The prior stands at the unit's own benchmark,
    not at the city's rate, which would pull a unit of another mix towards what it is not compared with; how many cases it
    is worth is fitted per period on all institutions, up to the rule's strength.
    """
    rows = found.filter((pl.col("variant_code") == variant) & (pl.col("grain") == "institution"))
    parts = []
    for (_,), period in rows.partition_by("period_code", as_dict=True, maintain_order=True).items():
        n = period["cases"].to_numpy()
        x = np.clip(np.rint(period["observed"].to_numpy() * n), 0, n)
        strength = rates.fit_prior(x, n, max_strength=rule.number("strength")).strength
        centre = np.clip(period["benchmark_value"].to_numpy(), 0.5 / strength, 1 - 0.5 / strength)
        floor = np.clip(period["benchmark_value"].to_numpy() - rule.number("margin"), 0, 1)
        judged = rates.warning(
            x,
            n,
            centre * strength,
            (1 - centre) * strength,
            floor=floor,
            amber=rule.number("amber"),
            red=rule.number("red"),
            minimum=rule.number("minimum"),
        )
        is_few = pl.col("status_code") == "GREY"
        parts.append(
            period.select(
                *KEY,
                probability_below=pl.Series(judged.probability_below),
                status_code=pl.Series(judged.status, dtype=pl.String),
                judged_by=pl.lit("BENCHMARK"),
                judged_numerator=pl.Series(x),
                judged_denominator=pl.Series(n),
                judged_value=pl.Series(judged.shrunk),
                judged_floor=pl.Series(floor),
            ).with_columns(
                pl.when(is_few).then(pl.lit("SMALL-N")).alias("status_reason_code"),
                pl.lit(1, pl.Int64).alias("pooled_years"),
            )
        )
    return pl.concat(parts) if parts else rows.select(KEY)


def _window(
    units: pl.DataFrame,
    grain: str,
    variant: str,
    rule: Rule,
    year: int,
    window: int,
    x: np.ndarray,
    n: np.ndarray,
) -> pl.DataFrame:
    group = units["group"].to_numpy()
    priors = rates.fit_priors(group, x, n, max_strength=rule.number("strength"))
    alpha, beta = (np.array([getattr(priors[g], name) for g in group]) for name in ("alpha", "beta"))
    floor = rule.number("floor")
    judged = rates.warning(
        x, n, alpha, beta, floor=floor, amber=rule.number("amber"), red=rule.number("red"),
        minimum=rule.number("minimum"),
    )  # fmt: skip
    return (
        units.select(
            variant_code=pl.lit(variant),
            grain=pl.lit(grain),
            unit_code="unit_code",
            period_code=pl.lit(str(year)),
            pooled_years=pl.lit(window, pl.Int64),
            prior_group="group",
            sound=pl.Series(x),
            cases=pl.Series(n),
            prior_mean=pl.Series(alpha / (alpha + beta)),
            prior_strength=pl.Series(alpha + beta),
            shrunk_value=pl.Series(judged.shrunk),
            lcl95=pl.Series(judged.lower),
            ucl95=pl.Series(judged.upper),
            floor_value=pl.lit(floor),
            probability_below=pl.Series(judged.probability_below),
            q_value=pl.Series(judged.q_value),
            status_code=pl.Series(judged.status, dtype=pl.String),
        )
        .filter(pl.col("cases") > 0)
        .select(WARNING)
    )
