"""95 % intervals of indicator values, by the estimator that the registry names for the variant."""

import zlib

import polars as pl

from yuyan.estimate import rates, registry, stratified

KEY = ["variant_code", "grain", "unit_code", "period_code"]
BOUNDS = ["lcl95", "ucl95", "probability_below"]
SCHEMA = dict.fromkeys([*KEY, "estimator"], pl.String) | dict.fromkeys(BOUNDS, pl.Float64)
SEED = 2026


def is_rate() -> pl.Expr:
    """A ratio whose numerator lies between 0 and its denominator; an average population can be smaller than its persons."""
    return (pl.col("numerator") >= 0) & (pl.col("numerator") <= pl.col("denominator"))


def counted(values: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Values of ratios of counts (estimator JEFFREYS)."""
    wanted = registry.variants(known, "estimator", "JEFFREYS")
    return values.filter(pl.col("variant_code").is_in(wanted) & pl.col("value").is_not_null())


def jeffreys(values: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Intervals of ratios of counts at every grain, also of periods still running; nothing where it is no rate."""
    rows = counted(values, known).filter(is_rate())
    lower, upper = rates.interval(rows["numerator"], rows["denominator"])
    return rows.select(
        *KEY,
        estimator=pl.lit("JEFFREYS"),
        lcl95=pl.lit(pl.Series(lower)),
        ucl95=pl.lit(pl.Series(upper)),
        probability_below=pl.lit(None, pl.Float64),
    )


def sampled(values: pl.DataFrame, samplings: pl.DataFrame, known: pl.DataFrame, city: str) -> pl.DataFrame:
    """Thesis sampling, one per unit and year with draws of its own; P(true rate < floor) where the city rule has one.

    `samplings`: period_code, inst_code, stratum, kind, weight, is_passed, one row per judged thesis drawn at random.
    """
    wanted = values.filter(
        pl.col("variant_code").is_in(registry.variants(known, "estimator", "STRATIFIED"))
        & pl.col("grain").is_in(["city", "institution"])
        & pl.col("value").is_not_null()
    )
    floors = registry.rules(known, "city_rule", "FLOOR")
    kinds = dict(known.select("variant_code", "sampled_kinds").iter_rows())
    by_year = samplings.partition_by("period_code", as_dict=True)
    found = []
    for variant, grain, unit, period, target in wanted.select(*KEY, "target").iter_rows():
        cases = by_year.get((period,), samplings.clear())
        if unit != city:
            cases = cases.filter(pl.col("inst_code") == unit)
        if kinds.get(variant):
            cases = cases.filter(pl.col("kind").is_in(kinds[variant].split(";")))
        if len(cases):
            arrays = [cases[c].fill_null("").to_numpy() for c in ("stratum", "kind")]
            strata = stratified.weighted_strata(
                *arrays, cases["weight"].to_numpy(), cases["is_passed"].to_numpy()
            )
            seed = [SEED, zlib.crc32("|".join((variant, unit, period)).encode())]
            floor = target if unit == city and variant in floors else None
            rate = stratified.stratified_rate(strata, seed, floor=floor)
            found.append((variant, grain, unit, period, "STRATIFIED", rate.lower, rate.upper, rate.below))
    return pl.DataFrame(found, schema=SCHEMA, orient="row")
