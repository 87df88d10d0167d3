"""Rates from counts: intervals, pooling over years, empirical-Bayes shrinkage, the warning rule and q-values.

Everywhere `x` is the number of sound cases (passed theses), `n` the number of cases, `n - x` the adverse events. Arrays of
any shape are taken; counts may be fractional (an average population, an effective sample size). [param] marks a default that
is ours and has to be signed by the commission.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

Floats = NDArray[np.float64]

MIN_STRENGTH = 20.0
"""A prior is worth at least so many cases [param]: a small group cannot talk itself into an uninformative one."""
MAX_STRENGTH = 50.0
"""A prior is worth at most so many cases [param]: institutions and degree points have tens of pooled theses, and a prior
worth a thousand would hear none of them."""
SEARCHED_STRENGTH = 1000.0
"""Where the data show no spread beyond chance the likelihood grows without end; the search stops here."""
FEW = 10
"""With fewer sound or adverse cases than this the interval is the exact one."""
MIN_UNITS = 10
"""A group with fewer units that have cases takes the prior of all groups together [param]."""


@dataclass(frozen=True)
class Prior:
    """Beta(alpha, beta) over the true rates of the units of a group."""

    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        return self.alpha / (self.alpha + self.beta)

    @property
    def strength(self) -> float:
        """Number of cases the prior is worth."""
        return self.alpha + self.beta


@dataclass(frozen=True)
class Warnings:
    """What the warning rule says of each unit; arrays of the shape of the counts. NaN where there are no cases."""

    status: NDArray[np.str_]
    """GREEN, AMBER, RED; GREY where the cases are too few (SMALL-N)."""
    probability_below: Floats
    """P(true rate < floor) under the posterior."""
    shrunk: Floats
    """Posterior mean."""
    lower: Floats
    """95 % interval of the unit's own counts."""
    upper: Floats
    q_value: Floats
    """Benjamini-Hochberg q-value of the exact test that the rate is at least the floor, over the units judged."""


def interval(x: ArrayLike, n: ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Equal-tailed interval of a rate; (NaN, NaN) where n is 0, lower limit 0 where x = 0, upper limit 1 where x = n.

    Jeffreys', the quantiles of Beta(x + 1/2, n - x + 1/2): Brown, Cai and DasGupta (2001), Interval estimation for a
    binomial proportion, Statistical Science 16(2). With fewer than FEW sound or adverse cases its coverage falls to 0.87;
    there it is Clopper and Pearson's (1934, Biometrika 26), Beta(x, n - x + 1) and Beta(x + 1, n - x). At 95 % every size
    and rate is then covered in at least 0.93 of cases (docs/statistics.md).
    Raises ValueError when a count is negative or x exceeds n.
    """
    x, n = _counts(x, n)
    tail = (1 - level) / 2
    adverse = n - x
    half = np.where(np.minimum(x, adverse) < FEW, 0.0, 0.5)
    with np.errstate(invalid="ignore"):
        lower = np.where(x == 0, 0.0, special.betaincinv(x + half, adverse + 1 - half, tail))
        upper = np.where(adverse == 0, 1.0, special.betaincinv(x + 1 - half, adverse + half, 1 - tail))
    empty = ~(n > 0)
    return np.where(empty, np.nan, lower), np.where(empty, np.nan, upper)


def pooled(counts: ArrayLike, years: int) -> Floats:
    """Sums over the `years` years that end at each year; shape as given, last axis = consecutive years, nothing = 0.

    Pool numerators and denominators, never rates. The first years are sums over the fewer years there are.
    """
    if years < 1:
        raise ValueError(
            f"a window of {years} years pools nothing; give 1 or more (the catalogue uses 3 and 5)"
        )
    total = np.cumsum(np.asarray(counts, dtype=float), axis=-1)
    before = np.zeros_like(total)
    before[..., years:] = total[..., :-years]
    return total - before


def fit_prior(
    x: ArrayLike, n: ArrayLike, min_strength: float = MIN_STRENGTH, max_strength: float = MAX_STRENGTH
) -> Prior:
    """Beta prior of a group's true rates, by maximum likelihood of the beta-binomial of its units' counts.

    Skellam (1948), J. R. Statist. Soc. B 10(2); Casella (1985), An introduction to empirical Bayes data analysis, The
    American Statistician 39(2). Searched over mean and strength; the mean stays half a case away from 0 and 1, the strength
    from `min_strength` up. What is found is then worth at most `max_strength`, at the same mean: a limit on the search would
    move the mean towards the weakest unit. Units without cases say nothing. Raises ValueError when no unit has a case.
    """
    x, n = _counts(x, n)
    x, n = x[n > 0], n[n > 0]
    if not len(n):
        raise ValueError("a prior needs at least one unit with cases; fit it over a wider group")
    edge = 0.5 / (n.sum() + 1)

    def loss(at: Floats) -> float:
        mean, strength = special.expit(at[0]), np.exp(at[1])
        a, b = mean * strength, (1 - mean) * strength
        return -float(np.sum(special.betaln(a + x, b + n - x) - special.betaln(a, b)))

    mean_bounds = (special.logit(edge), special.logit(1 - edge))
    strength_bounds = (np.log(min_strength), np.log(max(SEARCHED_STRENGTH, max_strength)))
    start_mean = np.clip(special.logit((x.sum() + 0.5) / (n.sum() + 1)), *mean_bounds)
    # two parameters: a simplex needs no gradient and no linear algebra, whose threads would fight over a busy machine
    found = [
        optimize.minimize(
            loss, (start_mean, start), method="Nelder-Mead", bounds=[mean_bounds, strength_bounds],
            options={"xatol": 1e-6, "fatol": 1e-9, "maxiter": 2000},
        )
        for start in np.linspace(*strength_bounds, 4)[1:3]
    ]  # fmt: skip
    best = min(found, key=lambda r: r.fun).x
    mean, strength = float(special.expit(best[0])), min(float(np.exp(best[1])), max_strength)
    return Prior(mean * strength, (1 - mean) * strength)


def fit_priors(
    group: Sequence[str],
    x: ArrayLike,
    n: ArrayLike,
    min_units: int = MIN_UNITS,
    max_strength: float = MAX_STRENGTH,
) -> dict[str, Prior]:
    """One prior per group (degree level x discipline class), fitted on all units of the city that belong to it.

    A group with fewer than `min_units` units with cases takes the prior of all units together. Shapes: (units,).
    """
    groups = np.asarray(group)
    x, n = _counts(x, n)
    of_all = fit_prior(x, n, max_strength=max_strength)
    return {
        str(g): fit_prior(x[groups == g], n[groups == g], max_strength=max_strength)
        if np.sum(n[groups == g] > 0) >= min_units
        else of_all
        for g in np.unique(groups)
    }


def probability_below(x: ArrayLike, n: ArrayLike, alpha: ArrayLike, beta: ArrayLike, floor: float) -> Floats:
    """P(true rate < floor | x of n) under the prior Beta(alpha, beta): the posterior is Beta(alpha + x, beta + n - x)."""
    x, n = _counts(x, n)
    return special.betainc(np.asarray(alpha) + x, np.asarray(beta) + n - x, floor)


def shrunk(x: ArrayLike, n: ArrayLike, alpha: ArrayLike, beta: ArrayLike) -> Floats:
    """Posterior mean (alpha + x) / (alpha + beta + n): the fewer the cases, the nearer to the group's rate."""
    x, n = _counts(x, n)
    return (np.asarray(alpha) + x) / (np.asarray(alpha) + np.asarray(beta) + n)


def p_value_below(x: ArrayLike, n: ArrayLike, floor: float) -> Floats:
    """Exact one-sided p-value of "the true rate is at least `floor`": P(X <= x | n, floor), binomial; NaN where n is 0."""
    x, n = _counts(x, n)
    return np.where(n > 0, stats.binom.cdf(x, n, floor), np.nan)


def q_values(p: ArrayLike) -> Floats:
    """Benjamini-Hochberg adjusted p-values; NaN is no test and stays NaN.

    Benjamini and Hochberg (1995), Controlling the false discovery rate, J. R. Statist. Soc. B 57(1), 289-300.
    """
    p = np.asarray(p, dtype=float)
    tested = ~np.isnan(p)
    q = np.full(p.shape, np.nan)
    q[tested] = stats.false_discovery_control(p[tested], method="bh") if tested.any() else []
    return q


def warning(
    x: ArrayLike,
    n: ArrayLike,
    alpha: ArrayLike,
    beta: ArrayLike,
    *,
    floor: float = 0.95,
    amber: float = 0.30,
    red: float = 0.95,
    minimum: float = 10,
) -> Warnings:
    """The rate rule: AMBER and RED by P(true rate < floor), and only with at least one adverse event seen.

    Counts are pooled ones (`pooled`); alpha and beta the prior of each unit's group. With fewer than `minimum` pooled cases
    GREY. A raw comparison with the floor, or a Jeffreys posterior, cries wolf on small units: docs/statistics.md has the
    calibration. All thresholds [param].
    """
    x, n = _counts(x, n)
    below = np.where(n > 0, probability_below(x, n, alpha, beta, floor), np.nan)
    adverse = n - x >= 1
    status = np.select(
        [n < minimum, adverse & (below >= red), adverse & (below >= amber)], ["GREY", "RED", "AMBER"], "GREEN"
    )
    lower, upper = interval(x, n)
    return Warnings(
        status=status,
        probability_below=below,
        shrunk=np.where(n > 0, shrunk(x, n, alpha, beta), np.nan),
        lower=lower,
        upper=upper,
        q_value=q_values(np.where(n >= minimum, p_value_below(x, n, floor), np.nan)),
    )


def _counts(x: ArrayLike, n: ArrayLike) -> tuple[Floats, Floats]:
    """Counts as float arrays of one shape; raises ValueError that names the first impossible pair."""
    x, n = np.broadcast_arrays(np.asarray(x, dtype=float), np.asarray(n, dtype=float))
    wrong = (x < 0) | (x > n)
    if wrong.any():
        at = np.flatnonzero(wrong.ravel())[0]
        raise ValueError(
            f"case {at}: {x.ravel()[at]:g} of {n.ravel()[at]:g} is no rate; numerator and denominator must count the same "
            "cases, 0 <= x <= n"
        )
    return x, n
