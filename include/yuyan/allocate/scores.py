"""Indicator values to a composite score between 0 and 100.

Arrays end in (units, indicators), with any number of draws before them: `(..., units, k)`. A score of 100 is best.
Terms and order of the steps are those of OECD/JRC (2008), Handbook on Constructing Composite Indicators, part 1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

NORMALISATIONS = ("goalpost", "min_max", "z", "rank")
AGGREGATIONS = ("arithmetic", "geometric")
LOWEST = 1.0
"""What a geometric mean counts a score of 0 as, so that one zero does not erase all other indicators."""
Z_POINTS = 100 / 6
"""Points of one standard deviation: three to either side of the mean fill the scale from 0 to 100."""


@dataclass(frozen=True)
class Indicators:
    """What every indicator of a scheme says about its values; arrays (k,)."""

    codes: tuple[str, ...]
    weights: Floats
    """Shares of the whole score; they add up to 1."""
    worst: Floats
    """Goalpost that scores 0; above `best` where less is better."""
    best: Floats
    """Goalpost that scores 100."""
    normalisation: tuple[str, ...]

    @property
    def sign(self) -> Floats:
        return np.sign(self.best - self.worst)


def goalpost(values: ArrayLike, worst: ArrayLike, best: ArrayLike) -> Floats:
    """Distance from `worst` on the way to `best`, in percent, never below 0 or above 100. Nobody else's value is in it."""
    values, worst, best = (np.asarray(v, dtype=float) for v in (values, worst, best))
    return 100 * np.clip((values - worst) / (best - worst), 0, 1)


def min_max(values: ArrayLike) -> Floats:
    """Distance from the lowest unit on the way to the highest, in percent; 50 where all are equal."""
    values = np.asarray(values, dtype=float)
    low, high = values.min(axis=-2, keepdims=True), values.max(axis=-2, keepdims=True)
    width = high - low
    return np.where(width > 0, 100 * (values - low) / np.where(width > 0, width, 1), 50.0)


def z_score(values: ArrayLike) -> Floats:
    """50 plus Z_POINTS for each standard deviation above the units' mean, within 0 and 100; 50 where all are equal."""
    values = np.asarray(values, dtype=float)
    spread = values.std(axis=-2, keepdims=True)
    z = (values - values.mean(axis=-2, keepdims=True)) / np.where(spread > 0, spread, 1)
    return np.clip(50 + Z_POINTS * z, 0, 100)


def rank_score(values: ArrayLike) -> Floats:
    """Share of the other units that a unit is ahead of, in percent; equal units share a place."""
    values = np.asarray(values, dtype=float)
    others = max(values.shape[-2] - 1, 1)
    from scipy import stats  # half a second to import, and commands that print an address must not pay for it

    return 100 * (stats.rankdata(values, axis=-2) - 1) / others


def normalised(values: ArrayLike, indicators: Indicators, how: str | None = None) -> Floats:
    """Scores of single indicators, 0 to 100: each by its own normalisation, or all by `how`. Shape as given."""
    values = np.asarray(values, dtype=float)
    upward = values * indicators.sign
    if how:
        return _by(how, values, upward, indicators, slice(None))
    found = np.empty_like(values)
    for method in set(indicators.normalisation):
        at = np.array([n == method for n in indicators.normalisation])
        found[..., at] = _by(method, values[..., at], upward[..., at], indicators, at)
    return found


def _by(how: str, values: Floats, upward: Floats, indicators: Indicators, at: slice | NDArray) -> Floats:
    match how:
        case "goalpost":
            return goalpost(values, indicators.worst[at], indicators.best[at])
        case "min_max":
            return min_max(upward)
        case "z":
            return z_score(upward)
        case "rank":
            return rank_score(upward)
    raise ValueError(f"{how!r} is no normalisation; known are {', '.join(NORMALISATIONS)}")


def aggregated(
    scores: ArrayLike, weights: ArrayLike, how: str = "arithmetic", there: ArrayLike | None = None
) -> Floats:
    """Weighted mean over indicators, (..., units): arithmetic, or geometric, in which a weakness is not made up for.

    `weights` (..., k), not negative; they need not add up to 1. `there` (units, k): which values a unit has; the weights of
    those it lacks go to the others in proportion, so that nobody's missing value moves anybody else's score.
    """
    scores, weights = np.asarray(scores, dtype=float), np.asarray(weights, dtype=float)[..., None]
    mask = np.ones(scores.shape[-2:]) if there is None else np.asarray(there, dtype=float)
    weight = (mask @ weights)[..., 0]
    match how:
        case "arithmetic":
            return ((scores * mask) @ weights)[..., 0] / weight
        case "geometric":
            return np.exp(((np.log(np.maximum(scores, LOWEST)) * mask) @ weights)[..., 0] / weight)
    raise ValueError(f"{how!r} is no aggregation; known are {', '.join(AGGREGATIONS)}")


def filled(values: ArrayLike) -> Floats:
    """Missing values (NaN) as the mean of the units that have one, so that places and spreads can be computed.

    What is filled in is never scored (`aggregated`). Raises ValueError for an indicator of which no unit has a value.
    """
    values = np.asarray(values, dtype=float)
    if (empty := np.isnan(values).all(axis=-2)).any():
        raise ValueError(
            f"no unit has a value of indicator {np.argwhere(empty)[0][-1]}; take it out of the scheme"
        )
    return np.where(np.isnan(values), np.nanmean(values, axis=-2, keepdims=True), values)


def entropy_weights(scores: ArrayLike) -> Floats:
    """Weights (k,) by Shannon entropy of each indicator's scores (units, k): the more units differ, the heavier.

    They reward dispersion, which is not importance: shown, and one of the assumptions that are varied; never the
    weights of money. Zeleny (1982), Multiple Criteria Decision Making, section 7.4.
    """
    scores = np.maximum(np.asarray(scores, dtype=float), LOWEST)
    share = scores / scores.sum(axis=0)
    diverging = 1 + (share * np.log(share)).sum(axis=0) / np.log(len(scores))
    diverging = np.maximum(diverging, 0)
    total = diverging.sum()
    return diverging / total if total > 0 else np.full(scores.shape[1], 1 / scores.shape[1])
