"""Scores of degree points: components beside their like, shrunk where numbers are small, with the share of evidence.

The formulas and what they take for granted: docs/degree-points.md. [param] marks a default that is ours and has to be
signed by the commission.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yuyan.estimate import standardise
from yuyan.estimate.rates import MAX_STRENGTH

Floats = NDArray[np.float64]

MIN_PEERS = 10
"""A peer group with fewer points in force is widened [param]."""
MIN_COMPARED = 5
"""Fewer peers with evidence than this are no comparison [param]."""
POSITION_LIMIT = 3.0
"""A component moves a score by no more than so many spreads [param]."""
CENTRE, SPREAD = 50.0, 10.0
"""The score of a point that is like its peers, and what one spread is worth."""
NORMAL_80 = 1.2815515655446004
"""Quantile of the normal distribution at 0.9: half an 80 % interval."""
ROUNDING = 1e-9
"""Figures that differ by less, relatively, are the same: peers that are all alike have no spread of their own."""

SIGNAL = [
    "degree_point_id", "monitor_year", "component_code", "peer_group_code", "evidence_code", "evidence_end_on", "value",
    "cases", "benchmark_value", "benchmark_own_share", "benchmark_error", "compared_count", "peer_spread", "own_weight",
    "position", "contribution", "direction_code",
]  # fmt: skip
"""Columns of estimates.point_signal."""
SCORE = [
    "degree_point_id", "monitor_year", "dimension_code", "peer_group_code", "peer_count", "score_state_code", "score",
    "lcl80", "ucl80", "evidence_share",
]  # fmt: skip
"""Columns of estimates.point_score."""


def scored(
    points: pl.DataFrame, evidence: pl.DataFrame, components: pl.DataFrame, dimensions: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Scores and signals of every point and year; frames with the columns SCORE and SIGNAL.

    `points`: monitor_year, degree_point_id, degree_level, degree_type, category_code, is_applied; the points in force.
    `evidence`: component_code, degree_point_id, evidence_year, evidence_end_on, numerator, denominator, squares; complete
    periods. `components` and `dimensions`: the registry's rows (seeds plan/point_component.csv, point_dimension.csv).
    """
    if points.is_empty():
        return pl.DataFrame(schema=SCORE), pl.DataFrame(schema=SIGNAL)
    of_component = evidence.partition_by("component_code", as_dict=True)
    components = components.join(dimensions.select("dimension_code", "is_applied_only"), on="dimension_code")
    peers, signals = [], []
    for (year,), in_force in points.partition_by("monitor_year", as_dict=True, maintain_order=True).items():
        in_force = in_force.with_columns(peer_group_code=pl.Series(peer_groups(in_force)))
        peers.append(in_force.with_columns(peer_count=pl.len().over("peer_group_code")))
        for component in components.iter_rows(named=True):
            counted = of_component.get((component["component_code"],), evidence.clear())
            applied = in_force.filter(pl.col("is_applied")) if component["is_applied_only"] else in_force
            rows = _signals(applied, pooled_years(counted, year, component["pooled_years"]), component)
            signals.append(rows.with_columns(component_code=pl.lit(component["component_code"])))
    found = pl.concat(signals).join(
        components.select("component_code", "dimension_code", "weight"), on="component_code"
    )
    scores = _scores(pl.concat(peers), found, dimensions)
    found = found.join(
        scores.select("degree_point_id", "monitor_year", "dimension_code", "score", "weight_of_evidence"),
        on=["degree_point_id", "monitor_year", "dimension_code"],
        how="left",
    ).with_columns(
        contribution=pl.when(pl.col("score").is_not_null()).then(
            SPREAD * pl.col("weight") * pl.col("position") / pl.col("weight_of_evidence")
        )
    )
    order = ["degree_point_id", "monitor_year"]
    return scores.select(SCORE).sort(*order, "dimension_code"), found.select(SIGNAL).sort(
        *order, "component_code"
    )


def peer_groups(points: pl.DataFrame) -> list[str]:
    """The peer group of each point: `level-type-category`, `level-A` (applied) or `level-B`, or the level alone.

    `points`: the points in force in one year. A group of fewer than MIN_PEERS goes into the next wider one.
    """
    scope = pl.when("is_applied").then(pl.lit("A")).otherwise(pl.lit("B"))
    finest = pl.concat_str("degree_level", "degree_type", "category_code", separator="-")
    wider = (pl.concat_str("degree_level", scope, separator="-"), pl.col("degree_level"))
    rows = points.select("degree_level", group=finest, **{f"wider_{i}": w for i, w in enumerate(wider)})
    for i in range(len(wider)):
        rows = rows.with_columns(
            group=pl.when(pl.len().over("group") >= MIN_PEERS).then("group").otherwise(f"wider_{i}")
        )
    return rows["group"].to_list()


def pooled_years(counted: pl.DataFrame, year: int, years: int) -> pl.DataFrame:
    """A component's counts in its last `years` years up to `year`, one row per point and year.

    The window ends with the last year of which there is anything, `year` or the year before: a running year has no complete
    period of most components yet.
    """
    last = counted.filter(pl.col("evidence_year").is_between(year - 1, year))["evidence_year"].max()
    if last is None:
        return counted.clear()
    return counted.filter(pl.col("evidence_year").is_between(last - years + 1, last))


def positions(
    group: NDArray[np.str_], value: Floats, cases: Floats, expected: Floats, variance: Floats
) -> tuple[Floats, Floats, Floats]:
    """Spread of the peers beyond chance, the weight of a point's own evidence, its position; arrays (points,).

    `variance`: of the value by chance alone. Moments as in Kleinman (1973), Proportions with extraneous variance, J. Am.
    Statist. Assoc. 68; a benchmark is worth at most MAX_STRENGTH cases. Where peers do not differ at all, positions are 0.
    """
    _, at = np.unique(group, return_inverse=True)
    total = np.bincount(at, cases)
    gap = value - expected
    gap = np.where(np.abs(gap) > ROUNDING * np.maximum(np.abs(value), np.abs(expected)), gap, 0.0)
    chance = np.bincount(at, cases * variance * (1 - cases / total[at]))
    room = total - np.bincount(at, cases**2) / total
    with np.errstate(invalid="ignore", divide="ignore"):
        moments = np.where(room > 0, (np.bincount(at, cases * gap**2) - chance) / room, 0.0)
    spread = np.maximum(moments[at], variance * cases / MAX_STRENGTH)
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = np.where(spread + variance > 0, spread / (spread + variance), 1.0)
        position = np.where(spread > 0, weight * gap / np.sqrt(spread), 0.0)
    return np.sqrt(spread), weight, np.clip(position, -POSITION_LIMIT, POSITION_LIMIT)


def _signals(in_force: pl.DataFrame, counted: pl.DataFrame, component: Mapping[str, object]) -> pl.DataFrame:
    """One row per point of a component and a year, whether there is evidence or not."""
    names = ["degree_point_id", "monitor_year", "peer_group_code"]
    rows = counted.join(in_force.select(names), on="degree_point_id")
    pooled = rows.group_by("degree_point_id").agg(
        pl.max("evidence_end_on"), cases=pl.sum("denominator"), total=pl.sum("numerator")
    )
    units = in_force.select(names).join(pooled, on="degree_point_id", how="left").sort("degree_point_id")
    enough = pl.col("cases") >= component["minimum_cases"] - ROUNDING  # three supervisors in thirds are three
    compared = units.filter(enough).with_columns(compared_count=pl.len().over("peer_group_code"))
    compared = compared.filter(pl.col("compared_count") >= MIN_COMPARED)
    judged = _compared(compared, rows.join(compared, on="degree_point_id", how="semi"), component)
    found = units.join(judged, on="degree_point_id", how="left")
    reason = (
        pl.when(pl.lit(component["missing_zh"]).is_not_null()).then(pl.lit("NO-SOURCE"))
        .when(pl.col("cases").is_null()).then(pl.lit("NO-RECORDS"))
        .when(~enough).then(pl.lit("FEW"))
        .when(pl.col("position").is_null()).then(pl.lit("NO-PEERS"))
        .otherwise(pl.lit("EVIDENCE"))
    )  # fmt: skip
    half = NORMAL_80 * (1 - pl.col("own_weight")).sqrt()
    direction = (
        pl.when(pl.col("position") > half).then(pl.lit("ABOVE"))
        .when(pl.col("position") < -half).then(pl.lit("BELOW"))
        .when(pl.col("position").is_not_null()).then(pl.lit("NEAR"))
    )  # fmt: skip
    return found.with_columns(
        value=pl.col("total") / pl.col("cases"), evidence_code=reason, direction_code=direction
    ).drop("total")


def _compared(units: pl.DataFrame, rows: pl.DataFrame, component: Mapping[str, object]) -> pl.DataFrame:
    """Benchmark, spread, weight and position of the points that have evidence and peers."""
    columns = [
        "benchmark_value",
        "benchmark_own_share",
        "benchmark_error",
        "peer_spread",
        "own_weight",
        "position",
    ]
    if units.is_empty():
        kinds = {"degree_point_id": pl.String, "compared_count": pl.UInt32}
        return pl.DataFrame(schema=kinds | dict.fromkeys(columns, pl.Float64))
    like = pl.concat_str("peer_group_code", "evidence_year", separator="|")
    rows = rows.with_columns(like=like).sort("degree_point_id", "evidence_year")
    with np.errstate(invalid="ignore"):  # its own error is one of shares; that of the other kinds is below
        found = standardise.benchmark(
            *(rows[c].to_numpy() for c in ("degree_point_id", "like", "numerator", "denominator"))
        )
    group = units["peer_group_code"].to_numpy()
    cases = units["cases"].to_numpy()
    expected = found.expected
    if component["kind"] == "share":
        edge = 0.5 / (units.select(pl.sum("cases").over("peer_group_code")).to_series().to_numpy() + 1)
        rate = np.clip(expected, edge, 1 - edge)
        variance = rate * (1 - rate) / cases
    elif component["kind"] == "rate":
        sizes = rows.group_by("peer_group_code").agg(size=pl.sum("squares") / pl.sum("numerator").abs())
        size = units.join(sizes, on="peer_group_code", how="left")["size"].fill_nan(0).to_numpy()
        variance = np.abs(expected) * size / cases
    else:
        variance = np.zeros(len(cases))
    spread, weight, position = positions(group, found.observed, cases, expected, variance)
    figures = (expected, found.own_share, np.sqrt(variance), spread, weight, position)
    return units.select("degree_point_id", "compared_count").with_columns(
        **{name: pl.Series(figure) for name, figure in zip(columns, figures, strict=True)}
    )


def _scores(peers: pl.DataFrame, signals: pl.DataFrame, dimensions: pl.DataFrame) -> pl.DataFrame:
    """One row per point, year and dimension, with the weight that has evidence."""
    keys = ["degree_point_id", "monitor_year", "dimension_code"]
    w, there = pl.col("weight"), pl.col("evidence_code") == "EVIDENCE"
    summed = signals.group_by(keys).agg(
        weight_of_all=w.sum(),
        weight_of_evidence=w.filter(there).sum(),
        moved=(w * pl.col("position")).filter(there).sum(),
        unsure=(w**2 * (1 - pl.col("own_weight"))).filter(there).sum(),
    )
    grid = peers.join(
        dimensions.select("dimension_code", "minimum_evidence_share", "is_applied_only"), how="cross"
    )
    rows = grid.join(summed, on=keys, how="left").with_columns(
        evidence_share=pl.col("weight_of_evidence") / pl.col("weight_of_all")
    )
    is_scored = pl.col("evidence_share") >= pl.col("minimum_evidence_share") - ROUNDING
    state = (
        pl.when(pl.col("is_applied_only") & ~pl.col("is_applied")).then(pl.lit("EXCLUDED"))
        .when(is_scored).then(pl.lit("SCORED"))
        .otherwise(pl.lit("THIN"))
    )  # fmt: skip
    score = CENTRE + SPREAD * pl.col("moved") / pl.col("weight_of_evidence")
    half = NORMAL_80 * SPREAD * pl.col("unsure").sqrt() / pl.col("weight_of_evidence")
    rows = rows.with_columns(score_state_code=state).with_columns(
        score=pl.when(pl.col("score_state_code") == "SCORED").then(score)
    )
    return rows.with_columns(lcl80=pl.col("score") - half, ucl80=pl.col("score") + half)
