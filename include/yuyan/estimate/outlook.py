"""Where the city's series lead: projection to the plan's last year and the pace that its targets ask for."""

import numpy as np
import polars as pl

from yuyan.estimate import paths
from yuyan.estimate.intervals import KEY

HORIZON = 2030
PACED = ["LINEAR", "STEP", "CAGR", "PIECEWISE", "BACKLOADED"]
"""Path kinds that lead somewhere; a floor or a trend needs no pace."""


def projections(values: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Projection of each complete city value from the years up to it, so that what was projected then stays on record.

    A mean score, which the registry gives a greatest value above 1, is no rate and has no bounds.
    """
    scores = known.filter(pl.col("value_upper") > 1)["variant_code"].to_list()
    city = values.filter((pl.col("grain") == "city") & pl.col("is_complete") & pl.col("value").is_not_null())
    parts = []
    for kind, bounds in (
        ("rate", (0, 1)),
        ("count", (0, np.inf)),
        ("other", (-np.inf, np.inf)),
    ):
        series = city.filter(_bounded_kind(scores) == kind)
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


def pace(values: pl.DataFrame) -> pl.DataFrame:
    """KEY, required_pace: change a year that still reaches the target, of complete values since the base year."""
    rows = values.filter(
        pl.col("path_kind").is_in(PACED)
        & pl.col("is_complete")
        & (pl.col("period_year") >= pl.col("base_year"))
    )
    columns = [rows[c].cast(pl.Float64).to_numpy() for c in ("value", "period_year", "target", "due_year")]
    return rows.select(*KEY, required_pace=pl.lit(pl.Series(paths.required_pace(*columns))))


def feasibility(milestones: pl.DataFrame) -> pl.DataFrame:
    """Each stretch between milestones of a series: rows of estimates.feasibility. `milestones`: in order, start first."""
    found = []
    for (series,), rows in milestones.partition_by("series_code", as_dict=True, maintain_order=True).items():
        points = [paths.Milestone(*row) for row in rows.select("period_year", "level").iter_rows()]
        for before, after, part in zip(
            points, points[1:], paths.feasibility(points[0], points[1:]), strict=False
        ):
            names = rows.row(0, named=True)
            found.append(
                {"series_code": series, "from_year": int(part.from_year), "to_year": int(part.to_year),
                 "name_zh": names["name_zh"], "unit_zh": names["unit_zh"], "from_level": before.level,
                 "to_level": after.level, "required_pace": part.required_pace, "pace_ratio": part.pace_ratio,
                 "straight_level": part.straight_level, "is_alarm": part.is_alarm}
            )  # fmt: skip
    return pl.DataFrame(found)


def _bounded_kind(scores: list[str]) -> pl.Expr:
    is_rate = pl.col("value_kind").is_in(["ratio", "index"]) & ~pl.col("variant_code").is_in(scores)
    return (
        pl.when(is_rate)
        .then(pl.lit("rate"))
        .when(pl.col("value_kind") == "count")
        .then(pl.lit("count"))
        .otherwise(pl.lit("other"))
    )
