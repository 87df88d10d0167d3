"""From baseline to target: path value of a year, required pace, projection, and whether milestones can be believed.

Years and values are arrays of any one shape unless said otherwise. Before the base year there is no path (NaN); after the
due year it stays at the target. Kinds as in the seed `target`: LINEAR, PIECEWISE, BACKLOADED, CAGR, STEP.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]

MIN_POINTS = 4
"""Fewer points give no projection: two parameters leave one degree of freedom at three."""
LAST_YEARS = 5
"""The projection looks at the last so many years [param]: what was long ago is another policy."""
FEASIBLE_RATIO = 2.0
"""A stretch that must go more than so many times as fast as the stretch before it is not believable unexplained [param]."""


@dataclass(frozen=True)
class Milestone:
    year: float
    level: float


@dataclass(frozen=True)
class Stretch:
    """The way from one milestone to the next: what it demands, beside the straight way from the start to the last one."""

    from_year: float
    to_year: float
    required_pace: float
    """Change per year that the stretch needs."""
    pace_ratio: float
    """Its pace over the pace of the stretch before; NaN for the first."""
    straight_level: float
    """Level of the straight line from start to last milestone at the end of the stretch."""
    is_alarm: bool


@dataclass(frozen=True)
class Projection:
    """Projected value and interval per series; NaN where there are too few points."""

    value: Floats
    lower: Floats
    upper: Floats


def linear(year: ArrayLike, start: Milestone, end: Milestone) -> Floats:
    """LINEAR: start + (target - start) (t - t0) / (t1 - t0); from a start at or above the target the path is the target."""
    return backloaded(year, start, end, power=1.0)


def backloaded(year: ArrayLike, start: Milestone, end: Milestone, power: float = 2.0) -> Floats:
    """BACKLOADED: start + (target - start) s^power, s the share of time gone; power 2 [param]: a quarter at half time."""
    year = np.asarray(year, dtype=float)
    gone = np.clip((year - start.year) / (end.year - start.year), 0, 1)
    level = end.level if start.level >= end.level else start.level + (end.level - start.level) * gone**power
    return np.where(year < start.year, np.nan, level)


def piecewise(year: ArrayLike, milestones: Sequence[Milestone]) -> Floats:
    """PIECEWISE: straight between milestones (the first is the baseline), which come in order of years."""
    years, levels = _ordered(milestones)
    return np.interp(np.asarray(year, dtype=float), years, levels, left=np.nan)


def cagr(year: ArrayLike, start: Milestone, growth: float, due_year: float = np.inf) -> Floats:
    """CAGR: start (1 + g)^(t - t0); 5 % a year are 1.276 after five. NaN where the start is not positive."""
    year = np.asarray(year, dtype=float)
    if not start.level > 0:
        return np.full(year.shape, np.nan)
    level = start.level * (1 + growth) ** (np.minimum(year, due_year) - start.year)
    return np.where(year < start.year, np.nan, level)


def step(year: ArrayLike, milestones: Sequence[Milestone]) -> Floats:
    """STEP: the level of the last step that has come; NaN before the first."""
    years, levels = _ordered(milestones)
    at = np.searchsorted(years, np.asarray(year, dtype=float), side="right") - 1
    return np.where(at < 0, np.nan, levels[np.maximum(at, 0)])


def required_pace(value: ArrayLike, year: ArrayLike, target: ArrayLike, due_year: ArrayLike) -> Floats:
    """Change a year that still reaches the target: max(target - value, 0) / (years left).

    0 where the target is met; NaN where it is not and no year is left, or value or target is NaN.
    """
    gap = np.maximum(np.asarray(target, dtype=float) - np.asarray(value, dtype=float), 0)
    left = np.asarray(due_year, dtype=float) - np.asarray(year, dtype=float)
    return np.where(gap == 0, 0.0, gap / np.where(left > 0, left, np.nan))


def required_growth(value: ArrayLike, year: ArrayLike, target: ArrayLike, due_year: ArrayLike) -> Floats:
    """Growth rate a year that still reaches the target level: (target / value)^(1 / years left) - 1, at least 0.

    NaN where the value is not positive, or the target is not met and no year is left.
    """
    value, target = np.asarray(value, dtype=float), np.asarray(target, dtype=float)
    left = np.asarray(due_year, dtype=float) - np.asarray(year, dtype=float)
    ratio = target / np.where(value > 0, value, np.nan)
    return np.where(ratio <= 1, 0.0, ratio ** (1 / np.where(left > 0, left, np.nan)) - 1)


def project(
    years: ArrayLike,
    values: ArrayLike,
    to_year: float = 2030,
    level: float = 0.80,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Projection:
    """Straight line through the last LAST_YEARS years carried to `to_year`, with its prediction interval.

    `years` (points,), `values` (series, points), NaN = no value. Least squares; the interval is that of a new observation,
    value +- t(m - 2) s sqrt(1 + 1/m + (t* - mean t)^2 / Sxx): Draper and Smith (1998), Applied Regression Analysis.
    Years before the last LAST_YEARS given are not used. Fewer than MIN_POINTS points: none. Clipped to `bounds`
    (a rate's are 0 and 1).
    """
    years, values = np.asarray(years, dtype=float), np.atleast_2d(np.asarray(values, dtype=float))
    recent = years > years.max() - LAST_YEARS
    used = ~np.isnan(values) & recent
    m = used.sum(axis=1)
    points = np.where(m >= MIN_POINTS, m, np.nan)
    t_mean = np.where(used, years, 0).sum(axis=1) / points
    y_mean = np.where(used, values, 0).sum(axis=1) / points
    t = np.where(used, years - t_mean[:, None], 0)
    y = np.where(used, values - y_mean[:, None], 0)
    sxx = (t**2).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = (t * y).sum(axis=1) / sxx
        residual = (np.where(used, y - slope[:, None] * t, 0) ** 2).sum(axis=1)
        ahead = to_year - t_mean
        value = y_mean + slope * ahead
        error = np.sqrt(residual / (points - 2) * (1 + 1 / points + ahead**2 / sxx))
        half = stats.t.ppf((1 + level) / 2, points - 2) * error
    return Projection(*(np.clip(v, *bounds) for v in (value, value - half, value + half)))


def feasibility(
    start: Milestone, milestones: Sequence[Milestone], ratio: float = FEASIBLE_RATIO
) -> list[Stretch]:
    """Each stretch between milestones, with an alarm where it must go more than `ratio` times as fast as the one before.

    Core courses: 30 % renewed in 3 years and all in 5 ask 10 points a year, then 35; the straight way has 60 % at year 3.
    """
    years, levels = _ordered([start, *milestones])
    paces = np.diff(levels) / np.diff(years)
    straight = np.interp(years[1:], [years[0], years[-1]], [levels[0], levels[-1]])
    found = []
    for i, pace in enumerate(paces):
        before = paces[i - 1] if i else np.nan
        is_alarm = bool(i and pace > 0 and pace > ratio * before)
        pace_ratio = pace / before if i and before else np.nan
        found.append(
            Stretch(years[i], years[i + 1], float(pace), float(pace_ratio), float(straight[i]), is_alarm)
        )
    return found


def _ordered(milestones: Sequence[Milestone]) -> tuple[Floats, Floats]:
    years = np.array([m.year for m in milestones], dtype=float)
    if not len(years) or (np.diff(years) <= 0).any():
        raise ValueError(
            f"milestones must be in order of years, each year once: {years.tolist()}; correct target_path"
        )
    return years, np.array([m.level for m in milestones], dtype=float)
