"""Checks of credibility on arrays: change year on year, distance from peers, stock against flow, shift of shares, heaping.

Pure functions. Each returns what was observed, what was expected and how far apart the two may be; a NaN threshold means
"not judged" (too little to judge), which is no alarm and no pass.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]

ROBUST = 3.0
"""Robust standard deviations that a change may be from the usual one."""
TAIL = 0.001
"""Chance of passing one limit of a sound unit: two limits at 99.8 %."""
Z = float(stats.norm.isf(TAIL))
MINIMUM_HISTORY = 5
"""Changes of its own that a unit needs; with fewer, the changes of all units together say what is usual."""


@dataclass(frozen=True)
class Checked:
    """Arrays of one length, an element per unit. `only_above`: less than expected is no finding. `cases`: of a rate, the
    effective number of cases behind what was observed."""

    observed: Floats
    expected: Floats
    threshold: Floats
    only_above: bool = False
    cases: Floats | None = None

    @property
    def is_alarm(self) -> NDArray[np.bool_]:
        apart = self.observed - self.expected
        # a hair of tolerance: at the threshold is not beyond it, whatever the last bit says
        return (apart if self.only_above else np.abs(apart)) > self.threshold * (1 + 1e-9) + 1e-12


def robust_sd(changes: ArrayLike) -> tuple[Floats, Floats]:
    """Median and 1.4826 · MAD of each row's changes (units × years, NaN = none).

    A row with fewer than MINIMUM_HISTORY changes takes those of all rows together; NaN when these are too few as well.
    """
    changes = np.asarray(changes, dtype=float)
    pooled = changes[np.isfinite(changes)]
    if len(pooled) >= MINIMUM_HISTORY:
        centre = np.median(pooled)
        common = centre, 1.4826 * np.median(np.abs(pooled - centre))
    else:
        common = np.nan, np.nan
    own = np.isfinite(changes).sum(axis=1) >= MINIMUM_HISTORY
    middle = np.full(len(changes), common[0])
    spread = np.full(len(changes), common[1])
    if own.any():
        middle[own] = np.nanmedian(changes[own], axis=1)
        spread[own] = 1.4826 * np.nanmedian(np.abs(changes[own] - middle[own, None]), axis=1)
    return middle, spread


def yearly_change(
    values: ArrayLike, sizes: ArrayLike | None, *, relative: bool, noise: str, floor: float, least: float
) -> Checked:
    """Whether the last column of `values` (units × consecutive years, NaN = none) moved too far from the one before.

    Expected is the value before plus the unit's usual (median) change; the threshold is the greatest of the floor,
    ROBUST robust standard deviations of the changes before, `least` (in the value's unit) and ROBUST standard errors of
    counting alone. `relative`: changes and floor are shares of the value before. `noise`: "poisson" (the values are
    counts of independent events), "binomial" (rates, with denominators `sizes` of the same shape), "none". Not judged
    without a value before, or, for relative changes, with one that is not above 0.
    """
    values = np.asarray(values, dtype=float)
    before, last = values[:, -2], values[:, -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        changes = np.diff(values, axis=1)
        if relative:
            changes = np.where(values[:, :-1] > 0, changes / values[:, :-1], np.nan)
        usual, spread = robust_sd(changes[:, :-1])
        usual, spread = np.nan_to_num(usual), np.nan_to_num(spread)
        scale = before if relative else np.ones_like(before)
        expected = np.clip(before + usual * scale, 0, 1 if noise == "binomial" else np.inf)
        threshold = np.maximum.reduce(
            [
                floor * scale,
                ROBUST * spread * scale,
                np.full_like(before, least),
                ROBUST * _chance(before, last, sizes, noise),
            ]
        )
    judged = np.isfinite(before) & np.isfinite(last) & ((before > 0) | (not relative))
    cases = np.asarray(sizes, dtype=float)[:, -1] if noise == "binomial" else None
    return Checked(last, expected, np.where(judged, threshold, np.nan), cases=cases)


def revision(
    first: ArrayLike, now: ArrayLike, cases: ArrayLike, relative: ArrayLike, least: ArrayLike
) -> tuple[Floats, Floats]:
    """How far values were restated: as a share of the whole scale, and in half widths of the first value's 95 % interval.

    A count or an amount (`relative`) is compared with the greater of both values and `least`, below which a difference is
    no finding: from 0 to 1 project of at least 5 is a fifth, and no revision of a count exceeds 1. A rate is compared
    by difference, since nothing can be divided by a rate of 0; `cases` is what it was counted over, and the interval
    Wilson's (Brown, Cai and DasGupta 2001, section 3.1.1). Counts have no interval here: NaN. One shape for all.
    """
    first, now, cases, least = (np.asarray(v, dtype=float) for v in (first, now, cases, least))
    relative = np.asarray(relative, dtype=bool)
    scale = np.maximum.reduce([np.abs(first), np.abs(now), least])
    moved = np.where(relative, (now - first) / np.where(scale > 0, scale, 1), now - first)
    z = stats.norm.ppf(0.975)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside = np.clip(first, 0, 1)
        half = z * np.sqrt(inside * (1 - inside) / cases + z**2 / (4 * cases**2)) / (1 + z**2 / cases)
    return moved, np.where(relative | ~(half > 0), np.nan, moved / half)


def _chance(before: Floats, last: Floats, sizes: ArrayLike | None, noise: str) -> Floats:
    if noise == "none":
        return np.zeros_like(before)
    if noise == "poisson":
        return np.sqrt(np.maximum(before, 0) + np.maximum(last, 0))
    sizes = np.asarray(sizes, dtype=float)
    one, two = sizes[:, -2], sizes[:, -1]
    rate = np.clip((before * one + last * two) / (one + two), 0, 1)
    return np.sqrt(rate * (1 - rate) * (1 / one + 1 / two))


def peer_funnel(
    events: ArrayLike,
    sizes: ArrayLike,
    *,
    kind: str,
    floor: float = 0.0,
    minimum_n: float = 0,
    design_effect: float = 1.0,
) -> Checked:
    """Whether a unit's rate lies outside the 99.8 % limits around the rate of all units together.

    `kind` "binomial": events out of `sizes` cases; "poisson": events over an exposure. The limits are the exact ones
    (the chance of a number of events beyond them is at most TAIL), or, where they are wider, those of an additive random
    effect: the units' own variance as the winsorised z-scores show it (Spiegelhalter 2005, Funnel plots for comparing
    institutional performance, Statistics in Medicine 24, appendix A.3; the same author, Handling over-dispersion of
    performance indicators, Quality and Safety in Health Care 14). A rate less than `floor` away is never outside.
    `design_effect`: cases that come in clusters count as so many times fewer. Units smaller than `minimum_n` take no part
    and are not judged.
    """
    events, sizes = np.asarray(events, dtype=float), np.asarray(sizes, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = events / sizes
    part = (sizes > 0) & (sizes >= minimum_n)
    centre = events[part].sum() / sizes[part].sum() if part.any() else np.nan
    effective = sizes[part] / design_effect
    deviations = observed[part] - centre
    variance = (centre if kind == "poisson" else centre * (1 - centre)) / effective
    extra = _between(deviations, variance)
    lower, upper = _exact_limits(centre, effective, kind)
    limits = [np.where(deviations > 0, upper - centre, centre - lower), np.full_like(deviations, floor)]
    if extra > 0:
        limits.append(Z * np.sqrt(variance + extra))
    threshold = np.full_like(observed, np.nan)
    threshold[part] = np.maximum.reduce(limits)
    return Checked(observed, np.full_like(observed, centre), threshold)


def _between(deviations: Floats, variance: Floats) -> float:
    """Variance between units beyond chance (DerSimonian-Laird's estimator on z-scores winsorised at 10 %)."""
    if len(deviations) < 3 or not (variance > 0).all():
        return 0.0
    z = deviations / np.sqrt(variance)
    z = np.clip(z, *np.quantile(z, [0.1, 0.9]))
    weight, k = 1 / variance, len(z)
    excess = np.sum(z**2) - (k - 1)
    return max(0.0, float(excess / (weight.sum() - (weight**2).sum() / weight.sum())))


def _exact_limits(centre: float, sizes: Floats, kind: str) -> tuple[Floats, Floats]:
    """Rates beyond which a chance of at most TAIL lies. Whole numbers of events: interpolated limits (the curves of a
    plot) would make an alarm of a small unit without a single adverse case."""
    law = stats.poisson(centre * sizes) if kind == "poisson" else stats.binom(np.round(sizes), centre)
    cases = sizes if kind == "poisson" else np.round(sizes)
    return law.ppf(TAIL) / cases, law.ppf(1 - TAIL) / cases


def stock_flow(
    before: ArrayLike,
    entrants: ArrayLike,
    leavers: ArrayLike,
    stock: ArrayLike,
    *,
    floor: float,
    least: float,
) -> Checked:
    """Whether stock = stock before + entrants - leavers, within `floor` of the expected stock or `least` records."""
    expected = np.asarray(before, dtype=float) + np.asarray(entrants) - np.asarray(leavers)
    return Checked(np.asarray(stock, dtype=float), expected, np.maximum(floor * expected, least))


def share_shift(before: ArrayLike, last: ArrayLike, *, floor: float, minimum_n: int) -> Checked:
    """Total-variation distance between two years' shares of categories; `before`, `last`: counts, units × categories.

    0 is "no shift", 1 "nothing in common". The threshold is `floor`, or where it is greater the distance that chance
    alone may bring: the expected one of two samples of this size and ROBUST standard deviations (taken as if the
    categories moved together, so rather too wide). Not judged with fewer than `minimum_n` records in either year.
    """
    before, last = np.asarray(before, dtype=float), np.asarray(last, dtype=float)
    one, two = before.sum(axis=1), last.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = (before + last) / (one + two)[:, None]
        distance = np.abs(before / one[:, None] - last / two[:, None]).sum(axis=1) / 2
        error = np.sqrt(shares * (1 - shares) * (1 / one + 1 / two)[:, None]).sum(axis=1) / 2
        chance = error * (np.sqrt(2 / np.pi) + ROBUST * np.sqrt(1 - 2 / np.pi))
    judged = (one >= minimum_n) & (two >= minimum_n)
    return Checked(distance, np.zeros_like(distance), np.where(judged, np.maximum(floor, chance), np.nan))


def single_row(shares: ArrayLike, *, floor: float, is_judged: bool) -> Checked:
    """Whether one row makes more than `floor` of the city's total. Not judged where the city has too few rows."""
    shares = np.asarray(shares, dtype=float)
    threshold = np.full_like(shares, floor if is_judged else np.nan)
    return Checked(shares, np.zeros_like(shares), threshold, only_above=True)


def heaping(hits: ArrayLike, sizes: ArrayLike, *, expected: float, floor: float, minimum_n: int) -> Checked:
    """Whether more of `sizes` values than `expected` (a share) fall on the digits in question: exact binomial test at TAIL.

    Only an excess counts, and only one above `floor`. Not judged with fewer than `minimum_n` values.
    """
    hits, sizes = np.asarray(hits, dtype=float), np.asarray(sizes, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = hits / sizes
        beyond = stats.binom.ppf(1 - TAIL, sizes, expected) / sizes - expected
    threshold = np.maximum(np.maximum(beyond, floor), expected - observed)  # too few is no finding
    return Checked(
        observed, np.full_like(observed, expected), np.where(sizes >= minimum_n, threshold, np.nan)
    )
