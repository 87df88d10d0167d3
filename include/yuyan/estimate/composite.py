"""H16: is quality as a whole rising? The weighted mean of standardised changes, with its sign and interval; not a target."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DRAWS = 10_000


@dataclass(frozen=True)
class Component:
    """One series; arrays (years,), NaN = no value. `scale`: standard deviation between institutions, what one point is."""

    code: str
    weight: float
    scale: float
    values: Floats
    errors: Floats


@dataclass(frozen=True)
class Year:
    """The composite of a year: 0 in the base year, in standard deviations between institutions."""

    year: int
    value: float
    change: float | None
    lower: float | None
    upper: float | None
    direction: str | None
    components: str


def composite(
    years: Sequence[int], components: Sequence[Component], base_year: int, seed: int, level: float = 0.90
) -> list[Year]:
    """Years in which every component has a value, the change on the year before with its Monte-Carlo interval.

    value_t = sum_k w_k (y_kt - y_k,base) / s_k with weights that add up to 1. In each draw every component's value of both
    years is drawn from a normal with its standard error, independent of the others. UP or DOWN when the interval excludes 0.
    Raises ValueError when the base year lacks a component.
    """
    order = {year: i for i, year in enumerate(years)}
    weights = np.array([c.weight for c in components]) / sum(c.weight for c in components)
    scales = np.array([c.scale for c in components])
    values = np.array([c.values for c in components])
    errors = np.nan_to_num(np.array([c.errors for c in components]))
    if base_year not in order or np.isnan(values[:, order[base_year]]).any():
        raise ValueError(f"the composite needs every component in its base year {base_year}")
    points = (weights / scales) @ (values - values[:, [order[base_year]]])
    found = []
    for year in years:
        i = order[year]
        if np.isnan(points[i]):
            continue
        parts_of_year = [
            {"variant_code": c.code, "weight": round(float(w), 4), "value": float(c.values[i]), "error": float(errors[k, i])}
            for k, (c, w) in enumerate(zip(components, weights, strict=True))
        ]  # fmt: skip
        change = lower = upper = direction = None
        before = order.get(year - 1)
        if before is not None and not np.isnan(points[before]):
            change = float(points[i] - points[before])
            spread = np.hypot(errors[:, i], errors[:, before])
            drawn = np.random.default_rng([seed, year]).normal(
                values[:, i] - values[:, before], spread, (DRAWS, len(components))
            ) @ (weights / scales)
            lower, upper = (float(q) for q in np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]))
            direction = "UP" if lower > 0 else "DOWN" if upper < 0 else "UNCERTAIN"
        found.append(
            Year(
                year,
                float(points[i]),
                change,
                lower,
                upper,
                direction,
                json.dumps(parts_of_year, ensure_ascii=False),
            )
        )
    return found
