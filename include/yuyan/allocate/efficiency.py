"""Data envelopment analysis: how little a unit could make do with, measured by those of its peers that make do with less.

Diagnostic only: no grant is multiplied by it. Arrays are (units, inputs) and (units, outputs), positive numbers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, sparse

Floats = NDArray[np.float64]

EFFICIENT = 1e-5
"""A unit this near to 1 lies on the frontier."""


class EfficiencyError(ValueError):
    """Inputs or outputs of which no efficiency can be told; the message says why."""


@dataclass(frozen=True)
class Efficiency:
    """Input efficiencies (units,): 1 is on the frontier, 0.8 says that 80 % of the inputs would do."""

    score: Floats
    corrected: Floats
    """Without the bias of a frontier made of the units themselves; NaN where it cannot be estimated."""
    lower: Floats
    upper: Floats
    """95 % interval of the bootstrap."""
    bandwidth: float


def smallest_sample(inputs: int, outputs: int) -> int:
    """Units that a comparison needs at least: max(m s, 3 (m + s)), Cooper, Seiford and Tone (2007), section 9.4."""
    return max(inputs * outputs, 3 * (inputs + outputs))


def input_efficiency(
    x: ArrayLike, y: ArrayLike, x_frontier: ArrayLike | None = None, returns: str = "VRS"
) -> Floats:
    """Radial input efficiency (units,) with variable (VRS) or constant (CRS) returns to scale.

    min theta subject to X'lambda <= theta x, Y'lambda >= y, lambda >= 0, and with VRS sum(lambda) = 1: Banker, Charnes and
    Cooper (1984), Management Science 30(9). The frontier is of the units' own outputs and `x_frontier` (default x). All
    units are one sparse linear programme of independent blocks, solved by HiGHS. Raises EfficiencyError.
    """
    x, y = (np.asarray(v, dtype=float).reshape(len(v), -1) for v in (x, y))
    hull = x if x_frontier is None else np.asarray(x_frontier, dtype=float).reshape(len(x), -1)
    if not (np.isfinite(x).all() and np.isfinite(y).all() and (x > 0).all() and (y >= 0).all()):
        raise EfficiencyError("inputs must be positive and outputs not negative, and none may be missing")
    n, m, s = len(x), x.shape[1], y.shape[1]
    scale_x, scale_y = x.mean(axis=0), np.maximum(y.mean(axis=0), 1e-300)
    x, hull, y = x / scale_x, hull / scale_x, y / scale_y
    block = np.zeros((n, m + s, n + 1))
    block[:, :m, 0] = -x
    block[:, :m, 1:] = hull.T
    block[:, m:, 1:] = -y.T
    unit, row, column = np.indices(block.shape)
    limits = sparse.csr_array(
        (block.ravel(), ((unit * (m + s) + row).ravel(), (unit * (n + 1) + column).ravel()))
    )
    convex = sparse.csr_array(
        (np.ones(n * n), (np.repeat(np.arange(n), n), _lambdas(n))), shape=(n, n * (n + 1))
    )
    done = optimize.linprog(
        np.tile(np.concatenate([[1.0], np.zeros(n)]), n),
        A_ub=limits,
        b_ub=np.column_stack([np.zeros((n, m)), -y]).ravel(),
        A_eq=convex if returns == "VRS" else None,
        b_eq=np.ones(n) if returns == "VRS" else None,
        method="highs",
    )
    if not done.success:
        raise EfficiencyError(f"the linear programme has no solution: {done.message}")
    return done.x.reshape(n, n + 1)[:, 0]


def _lambdas(n: int) -> NDArray[np.int64]:
    """Columns of the weights lambda of n blocks, each of one theta and n weights."""
    return (np.arange(n)[:, None] * (n + 1) + np.arange(1, n + 1)).ravel()


def bandwidth(score: ArrayLike) -> float:
    """Width of the smoothing kernel, for distances 1 / score: the normal reference rule on the reflected inefficient units.

    Simar and Wilson (2006), Statistical inference in nonparametric frontier models, equations 3.24 to 3.26. NaN when every
    unit is on the frontier.
    """
    score = np.asarray(score, dtype=float)
    below = score[~np.isclose(score, 1, atol=EFFICIENT)]
    if len(below) < 2:
        return float("nan")
    reflected = np.concatenate([2 - below, below])
    spread = reflected.std(ddof=1)
    low, high = np.quantile(reflected, [0.25, 0.75])
    rule = 0.9 * min(spread, (high - low) / 1.349) * (2 * len(below)) ** -0.2
    return float(rule * (2 * len(below) / len(score)) ** 0.2 * (1 / score).std(ddof=1) / spread)


def efficiency(x: ArrayLike, y: ArrayLike, draws: int, seed: int) -> Efficiency:
    """Efficiencies with the smoothed bootstrap of Simar and Wilson (1998), Management Science 44(1), `draws` times.

    Distances 1 / score are drawn, smoothed, reflected at 1 and brought back to their variance; the units are measured again
    against frontiers made with them. Bias and interval are those of the distances. Raises EfficiencyError.
    """
    x, y = (np.asarray(v, dtype=float).reshape(len(v), -1) for v in (x, y))
    score = np.minimum(input_efficiency(x, y), 1.0)
    width = bandwidth(score)
    if np.isnan(width):
        none = np.full(len(score), np.nan)
        return Efficiency(score, none, none, none, width)
    rng = np.random.default_rng(seed)
    distance = 1 / score
    reflected = np.concatenate([2 - distance, distance])
    variance = reflected.var(ddof=1)
    found = np.empty((draws, len(score)))
    for b in range(draws):
        drawn = rng.choice(reflected, len(score))
        smooth = drawn + width * rng.standard_normal(len(score))
        smooth = drawn.mean() + (smooth - drawn.mean()) / np.sqrt(1 + width**2 / variance)
        smooth = np.where(smooth < 1, 2 - smooth, smooth)
        found[b] = 1 / input_efficiency(x, y, x * (score * smooth)[:, None])
    bias = found.mean(axis=0) - distance
    shift = np.quantile(distance - found, [0.025, 0.975], axis=0)
    return Efficiency(
        score, 1 / (distance - bias), 1 / (distance + shift[1]), 1 / (distance + shift[0]), width
    )
