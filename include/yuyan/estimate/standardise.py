"""Rates made comparable: post-stratified surveys, directly standardised rates, benchmarks by indirect standardisation.

A stratum is a cell that units differ in for reasons that are not theirs: who answered, where graduates come from, which
level, type and discipline is taught. `x` is the number of sound cases, `n` the number of cases; arrays are (rows,), one row
per unit and stratum.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Standardised:
    """Weighted mean of stratum rates per unit; arrays (units,) in the order of `units`."""

    units: NDArray[np.str_]
    rate: Floats
    covered: Floats
    """Share of the weight in strata that have cases; the rate says nothing about the rest."""


@dataclass(frozen=True)
class Benchmark:
    """What each unit would have at the rates of all units together; arrays (units,) in the order of `units`."""

    units: NDArray[np.str_]
    observed: Floats
    expected: Floats
    error: Floats
    """Standard error of observed - expected under equal true rates."""
    own_share: Floats
    """Share of the unit's own cases in the rates it is compared with: near 1 it is compared with itself."""

    @property
    def gap(self) -> Floats:
        return self.observed - self.expected

    def probability_below(self, margin: float) -> Floats:
        """P(true gap < -margin), normal; NaN where a unit is compared with itself alone."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.error > 0, stats.norm.cdf((-margin - self.gap) / self.error), np.nan)


def standardised(unit: ArrayLike, x: ArrayLike, n: ArrayLike, weight: ArrayLike) -> Standardised:
    """Sum over strata of weight * x / n, over the sum of the weights of strata with cases.

    With the sizes of the strata in the frame as weights this is post-stratification (Cochran 1977, Sampling Techniques,
    section 5A.9); with one standard population for all units it is direct standardisation (Fleiss, Levin, Paik 2003,
    Statistical Methods for Rates and Proportions, section 19.2). NaN where no stratum has a case.
    """
    units, at = np.unique(np.asarray(unit, dtype=str), return_inverse=True)
    x, n, weight = (np.asarray(v, dtype=float) for v in (x, n, weight))
    used = n > 0
    rate = np.where(used, x / np.where(used, n, 1), 0)
    total = np.bincount(at, weight * used, len(units))
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(at, weight * rate, len(units)) / total
        return Standardised(units, mean, total / np.bincount(at, weight, len(units)))


def cluster_error(unit: ArrayLike, x: ArrayLike, n: ArrayLike, weight: ArrayLike | None = None) -> Floats:
    """Standard error of each unit's ratio sum(w x) / sum(w n) when its rows are clusters (answers of one course).

    Jackknife that leaves one cluster out, sqrt((K - 1) / K sum (e_k / (1 - h_k))^2) with e_k = w_k (x_k - p n_k) / sum(w n)
    and h_k = w_k n_k / sum(w n), the cluster's share: Wolter (2007), Introduction to Variance Estimation, chapter 4; K
    clusters, and the design effect is in it. Without the h_k a few courses of unequal size look surer than they are.
    (units,) in the order of np.unique; NaN for one cluster.
    """
    units, at = np.unique(np.asarray(unit, dtype=str), return_inverse=True)
    x, n = np.asarray(x, dtype=float), np.asarray(n, dtype=float)
    w = np.ones(len(x)) if weight is None else np.asarray(weight, dtype=float)
    total = np.bincount(at, w * n, len(units))
    with np.errstate(invalid="ignore", divide="ignore"):
        p = np.bincount(at, w * x, len(units)) / total
        e = w * (x - p[at] * n) / total[at] / (1 - w * n / total[at])
        clusters = np.bincount(at, n > 0, len(units))
        spread = np.bincount(at, np.where(n > 0, e, 0) ** 2, len(units))
        return np.where(clusters > 1, np.sqrt((clusters - 1) / clusters * spread), np.nan)


def benchmark(unit: ArrayLike, stratum: ArrayLike, x: ArrayLike, n: ArrayLike) -> Benchmark:
    """Expected rate sum_s n_is r_s / n_i with r_s the rate of all units in stratum s (indirect standardisation).

    Fleiss, Levin, Paik (2003), section 19.3. The unit's own cases are in r_s, which pulls the benchmark towards it; its
    share, sum_s (n_is / n_i) (n_is / n_s), is given beside it, and the variance of the difference takes it into account:
    sum_s (n_is / n_i)^2 r_s (1 - r_s) (1 / n_is - 1 / n_s); compare the benchmarks of the UK's performance indicators
    (Draper, Gittoes 2004, J. R. Statist. Soc. A 167(3)).
    """
    units, at = np.unique(np.asarray(unit, dtype=str), return_inverse=True)
    _, cell = np.unique(np.asarray(stratum, dtype=str), return_inverse=True)
    x, n = np.asarray(x, dtype=float), np.asarray(n, dtype=float)
    some = n > 0
    at, cell, x, n = at[some], cell[some], x[some], n[some]
    cells = cell.max(initial=-1) + 1
    size = np.bincount(cell, n, cells)
    r = np.bincount(cell, x, cells) / np.where(size > 0, size, 1)
    total = np.bincount(at, n, len(units))
    share = n / total[at]
    variance = share**2 * r[cell] * (1 - r[cell]) * np.maximum(1 / n - 1 / size[cell], 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = np.bincount(at, x, len(units)) / total
    empty = np.where(total > 0, 0.0, np.nan)
    return Benchmark(
        units,
        observed,
        np.bincount(at, share * r[cell], len(units)) + empty,
        np.sqrt(np.bincount(at, variance, len(units))) + empty,
        np.bincount(at, share * n / size[cell], len(units)) + empty,
    )
