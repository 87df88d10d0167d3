"""Pass rate of a stratified sample: fractions differ between strata, so the sample's own rate is not the frame's."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

DRAWS = 4000
"""Monte-Carlo draws: the 2.5 % limit of a rate then moves by about a twentieth of the interval's half width."""
MIN_STRATUM = 30
"""Strata with fewer sampled cases are collapsed [param]: one failure among two cases says little of its stratum."""


@dataclass(frozen=True)
class Strata:
    """Sampled sound cases, sampled cases and frame size per stratum; shape (strata,). Effective sizes may be fractional."""

    passed: Floats
    sampled: Floats
    population: Floats


@dataclass(frozen=True)
class Rate:
    value: float
    lower: float
    upper: float
    below: float
    """Confidence that the true rate is below the floor, of the draws that bound it from above; NaN without a floor."""


def weighted_strata(
    stratum: ArrayLike, kind: ArrayLike, weight: ArrayLike, is_passed: ArrayLike, minimum: int = MIN_STRATUM
) -> Strata:
    """Strata from sampled cases with their design weights 1 / inclusion probability; shape (cases,) each.

    A stratum with fewer than `minimum` cases is collapsed with the others of its `kind` (level and type of degree) that are
    as small: Cochran (1977), Sampling Techniques, section 5A.12. Frame size is the sum of weights. In a collapsed stratum
    weights differ, so it counts with its weighted rate and the effective size (sum w)^2 / sum w^2 of Kish (1965), Survey
    Sampling; where weights are equal that is the number of cases. Whatever is collapsed, the estimate stays
    the weighted ratio sum(w, passed) / sum(w).
    """
    weight, passed = np.asarray(weight, dtype=float), np.asarray(is_passed, dtype=bool)
    if not (weight >= 1).all():
        raise ValueError(
            "design weights are 1 / inclusion probability and cannot be below 1; correct inclusion_prob"
        )
    _, at = np.unique(np.asarray(stratum), return_inverse=True)
    _, kind_at = np.unique(np.asarray(kind), return_inverse=True)
    is_small = (np.bincount(at) < minimum)[at]
    _, at = np.unique(np.where(is_small, -1 - kind_at, at), return_inverse=True)
    total, squares = np.bincount(at, weight), np.bincount(at, weight**2)
    sampled = total**2 / squares
    return Strata(sampled * np.bincount(at, weight * passed) / total, sampled, total)


def stratified_rate(
    strata: Strata,
    seed: ArrayLike,
    level: float = 0.95,
    draws: int = DRAWS,
    floor: float | None = None,
) -> Rate:
    """Stratified estimate sum_h (N_h / N) x_h / n_h with a Monte-Carlo interval.

    The bounds of Clopper and Pearson (1934, Biometrika 26) carried over to strata: ONE case that nobody saw is shared over
    the strata in proportion to n_h, as failed for the lower limit, as passed for the upper one. In each draw the rate of
    stratum h is drawn from Beta(x_h, n_h - x_h + n_h / n), or Beta(x_h + n_h / n, n_h - x_h), and drawn towards the
    observed rate by the finite-population factor sqrt(1 - n_h / N_h), so that a census has no interval: Cochran (1977),
    Sampling Techniques, theorems 5.1 and 5.3. With one stratum that is their exact interval. A case for every stratum
    would invent failures, a hundred in a city of a hundred strata; docs/statistics.md has coverage and false alarms.
    `below` is from the draws of the upper limit, so that it passes 0.95 for at most one in twenty units at the floor.
    `seed` (an integer or several) fixes the draws. NaN without cases.
    Raises ValueError when a stratum has more cases passed than sampled, or more sampled than it holds.
    """
    x, n, size = strata.passed, strata.sampled, strata.population
    if ((x < 0) | (x > n * (1 + 1e-9)) | (n > size * (1 + 1e-9))).any():
        raise ValueError(
            "a stratum needs 0 <= passed <= sampled <= population; check its verdicts and inclusion_prob"
        )
    used = n > 0
    x, n, size = np.minimum(x, n)[used], n[used], size[used]
    if not len(n):
        return Rate(np.nan, np.nan, np.nan, np.nan)
    share, rate = size / size.sum(), x / n
    value = float(share @ rate)
    rng, unseen = np.random.default_rng(seed), n / n.sum()
    low, high = (
        (rate + np.sqrt(np.maximum(1 - n / size, 0)) * (_drawn(rng, a, b, draws) - rate)) @ share
        for a, b in ((x, n - x + unseen), (x + unseen, n - x))
    )
    tail = (1 - level) / 2
    lower, upper = min(np.quantile(low, tail), value), max(np.quantile(high, 1 - tail), value)
    below = np.nan if floor is None else float(np.mean(high < floor))
    return Rate(value, float(lower), float(upper), below)


def _drawn(rng: np.random.Generator, a: Floats, b: Floats, draws: int) -> Floats:
    """Draws from Beta(a, b), (draws, strata); 0 where a is 0, 1 where b is 0."""
    drawn = rng.beta(np.where(a > 0, a, 1), np.where(b > 0, b, 1), (draws, len(a)))
    return np.where(a > 0, np.where(b > 0, drawn, 1.0), 0.0)
