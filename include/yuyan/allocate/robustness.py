"""How much of a ranking, and of a grant, are choices: every assumption of a scheme varied at once, a few thousand times.

Saisana, Saltelli and Tarantola (2005), Uncertainty and sensitivity analysis techniques as tools for the quality assessment
of composite indicators, J. R. Statist. Soc. A 168(2); Sobol indices with the estimators of Jansen (1999), as recommended by
Saltelli et al. (2010), Variance based sensitivity analysis of model output, Computer Physics Communications 181(2), table 2.
Shapes: n draws, u units, k indicators, v definitions of an indicator.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from yuyan.allocate import scores
from yuyan.allocate.formula import Formula

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

ASSUMPTIONS = ("normalisation", "weights", "aggregation", "drop_one", "definition", "sampling")
WEIGHTINGS = ("signed", "equal", "entropy", "dirichlet")


@dataclass(frozen=True)
class Problem:
    """What is varied around a scheme."""

    formula: Formula
    definitions: Floats
    """(v, u, k): values by every definition of an indicator, the signed one first; NaN where an indicator has fewer."""
    errors: Floats
    """(v, u, k): standard errors of these values, 0 where none is known."""
    weight_noise: float = 0.25
    """Standard deviation of a drawn weight of average size, as a share of it [param]."""
    drop_probability: float = 0.5
    """How often one indicator is left out, each as likely as the others [param]."""


@dataclass(frozen=True)
class Draws:
    """One draw of every assumption, n times."""

    normalisation: Integers
    weights: Floats
    """(n, k)"""
    aggregation: Integers
    drop_one: Integers
    """(n,): the indicator left out, -1 for none."""
    definition: Integers
    """(n, k)"""
    sampling: Floats
    """(n, u, k): standard normal numbers."""


@dataclass(frozen=True)
class Sobol:
    """Shares of an output's variance that assumptions explain, with standard errors; arrays (assumptions, outputs)."""

    first: Floats
    first_error: Floats
    total: Floats
    total_error: Floats


@dataclass(frozen=True)
class Robustness:
    """What varying the assumptions does to units; arrays (u,) unless said otherwise."""

    rank: Integers
    """By the scheme as it is; equal scores share the better rank."""
    median_rank: Floats
    rank_low: Floats
    """5 % of the draws are below."""
    rank_high: Floats
    """95 %."""
    score_low: Floats
    score_high: Floats
    grant_low: Floats
    grant_high: Floats
    ahead: Floats
    """(u, u): share of the draws in which the row's unit ranks before the column's, equal ones counting half."""
    tied: NDArray[np.bool_]
    """(u, u): the two intervals of ranks overlap."""
    sobol: Sobol
    """Outputs: the rank of every unit, then the mean shift of all ranks against the scheme's."""


@dataclass(frozen=True)
class WeightAudit:
    """What an indicator's weight is worth; arrays (k,)."""

    nominal: Floats
    effective: Floats
    """Squared correlation of the indicator's scores with the composite, scaled to add up to 1."""
    rank_shift: Floats
    """Mean change of ranks when the indicator is left out."""
    entropy: Floats


def robustness(problem: Problem, n: int, seed: int) -> Robustness:
    """Vary all assumptions `n` times and measure what follows. The same seed gives the same figures.

    The model runs n x (assumptions + 2) times; `n` of them (the first sample) are the intervals.
    """
    rng = np.random.default_rng(seed)
    formula = problem.formula
    signed = ranks(formula.scores(problem.definitions[0])[None])[0]
    first, second = draw(problem, n, rng), draw(problem, n, rng)
    normal = _normalised(problem, first)
    score = _composite(problem, first, normal)
    rank = ranks(score)

    def outputs(found: Floats) -> Floats:
        return np.column_stack([found, np.abs(found - signed).mean(axis=1)])

    def mixed(assumption: str) -> Floats:
        mix = replace(first, **{assumption: getattr(second, assumption)})
        again = assumption in ("normalisation", "definition", "sampling")
        return outputs(ranks(_composite(problem, mix, _normalised(problem, mix) if again else normal)))

    other = outputs(ranks(drawn_scores(problem, second)))
    indices = sobol(outputs(rank), other, [mixed(name) for name in ASSUMPTIONS])
    low, high = np.quantile(rank, [0.05, 0.95], axis=0, method="nearest")
    score_low, score_high = np.quantile(score, [0.05, 0.95], axis=0)
    grant_low, grant_high = np.quantile(formula.grants(score), [0.05, 0.95], axis=0)
    ahead = np.stack(
        [(rank[:, [i]] < rank).mean(0) + (rank[:, [i]] == rank).mean(0) / 2 for i in range(rank.shape[1])]
    )
    tied = (low[:, None] <= high) & (low <= high[:, None])
    return Robustness(
        signed.astype(np.int64), np.median(rank, axis=0), low, high, score_low, score_high, grant_low, grant_high,
        ahead, tied, indices,
    )  # fmt: skip


def draw(problem: Problem, n: int, rng: np.random.Generator) -> Draws:
    """Draw every assumption n times, independently of each other."""
    _, u, k = problem.definitions.shape
    nominal = problem.formula.indicators.weights
    entropy = scores.entropy_weights(
        scores.min_max(scores.filled(problem.definitions[0]) * problem.formula.indicators.sign)
    )
    concentration = max((k - 1) / problem.weight_noise**2 - 1, 1.0)
    table = np.stack([nominal, np.full(k, 1 / k), entropy])
    kind = rng.integers(len(WEIGHTINGS), size=n)
    noisy = rng.dirichlet(concentration * nominal, size=n)
    weights = np.where((kind == len(table))[:, None], noisy, table[np.minimum(kind, len(table) - 1)])
    dropped = np.where(rng.random(n) < problem.drop_probability, rng.integers(k, size=n), -1)
    known = (~np.isnan(problem.definitions).all(axis=1)).sum(axis=0)
    return Draws(
        rng.integers(len(scores.NORMALISATIONS), size=n),
        weights,
        rng.integers(len(scores.AGGREGATIONS), size=n),
        dropped if k > 1 else np.full(n, -1),
        rng.integers(known, size=(n, k)),
        rng.standard_normal((n, u, k)),
    )


def drawn_scores(problem: Problem, draws: Draws) -> Floats:
    """Composite scores (n, u), one row per draw."""
    return _composite(problem, draws, _normalised(problem, draws))


def ranks(score: Floats) -> Floats:
    """Places (n, u) by scores (n, u), 1 is best; equal scores share the better place."""
    order = np.argsort(-score, axis=1, kind="stable")
    in_order = np.take_along_axis(score, order, axis=1)
    new = np.ones(score.shape, dtype=bool)
    new[:, 1:] = in_order[:, 1:] < in_order[:, :-1]
    place = np.maximum.accumulate(np.where(new, np.arange(1, score.shape[1] + 1), 0), axis=1)
    found = np.empty(score.shape)
    np.put_along_axis(found, order, place, axis=1)
    return found


def sobol(first: Floats, second: Floats, mixed: list[Floats]) -> Sobol:
    """First-order and total indices of outputs (n, outputs) of samples A, B and, per assumption, A with that one from B.

    S = 1 - E(f(B) - f(AB))^2 / 2V and T = E(f(A) - f(AB))^2 / 2V (Jansen 1999); 0 of an output that never varies. Errors
    are those of the two means, V taken as known.
    """
    variance = np.concatenate([first, second]).var(axis=0)
    scale = 2 * np.where(variance > 0, variance, 1)
    rest = np.stack([(second - m) ** 2 for m in mixed])
    own = np.stack([(first - m) ** 2 for m in mixed])
    is_moving = variance > 0
    root = np.sqrt(len(first))
    return Sobol(
        np.where(is_moving, 1 - rest.mean(axis=1) / scale, 0.0),
        rest.std(axis=1) / scale / root,
        own.mean(axis=1) / scale,
        own.std(axis=1) / scale / root,
    )


def sobol_of(
    model: Callable[[Floats], Floats], sample: Callable[[np.random.Generator, int], Floats], n: int, seed: int
) -> Sobol:
    """Indices of any function of independent inputs: `sample(rng, n)` gives (n, inputs), `model` one output each."""
    rng = np.random.default_rng(seed)
    a, b = sample(rng, n), sample(rng, n)
    mixed = []
    for i in range(a.shape[1]):
        mix = a.copy()
        mix[:, i] = b[:, i]
        mixed.append(model(mix)[:, None])
    return sobol(model(a)[:, None], model(b)[:, None], mixed)


def weight_audit(formula: Formula, values: Floats) -> WeightAudit:
    """Nominal against effective weights of a scheme, for values (u, k).

    The squared correlation is the linear part of the correlation ratio of Paruolo, Saisana and Saltelli (2013), Ratings and
    rankings: voodoo or science?, J. R. Statist. Soc. A 176(3): with some twenty units no more can be told from chance.
    """
    indicators = formula.indicators
    there = ~np.isnan(values)
    single = scores.normalised(scores.filled(values), indicators)
    overall = scores.aggregated(single, indicators.weights, formula.aggregation, there)
    spread = single.std(axis=0) * overall.std()
    covariance = ((single - single.mean(axis=0)) * (overall - overall.mean())[:, None]).mean(axis=0)
    squared = np.where(spread > 0, (covariance / np.where(spread > 0, spread, 1)) ** 2, 0)
    without = np.where(np.eye(len(indicators.weights), dtype=bool), 0, indicators.weights)
    before = ranks(overall[None])
    shift = [
        np.abs(ranks(scores.aggregated(single, w, formula.aggregation, there)[None]) - before).mean()
        if w.sum()
        else 0.0
        for w in without
    ]
    total = squared.sum()
    return WeightAudit(
        indicators.weights,
        squared / total if total > 0 else squared,
        np.array(shift),
        scores.entropy_weights(scores.min_max(scores.filled(values) * indicators.sign)),
    )


def _normalised(problem: Problem, draws: Draws) -> Floats:
    """(n, u, k) scores of single indicators: definition chosen, sampling error added, normalised by the draw's method."""
    u = problem.definitions.shape[1]
    at = (
        draws.definition[:, None, :],
        np.arange(u)[None, :, None],
        np.arange(draws.definition.shape[1])[None, None, :],
    )
    values = problem.definitions[at] + problem.errors[at] * draws.sampling
    values = scores.filled(values) if np.isnan(problem.definitions[0]).any() else np.nan_to_num(values)
    found = np.empty_like(values)
    for i, how in enumerate(scores.NORMALISATIONS):
        own = draws.normalisation == i
        found[own] = scores.normalised(values[own], problem.formula.indicators, how)
    return found


def _composite(problem: Problem, draws: Draws, normal: Floats) -> Floats:
    """(n, u) composite scores: one indicator left out where the draw says so, weighted, aggregated."""
    weights = draws.weights.copy()
    dropped = np.flatnonzero(draws.drop_one >= 0)
    weights[dropped, draws.drop_one[dropped]] = 0
    there = ~np.isnan(problem.definitions[0])
    found = np.empty(normal.shape[:2])
    for i, how in enumerate(scores.AGGREGATIONS):
        own = draws.aggregation == i
        found[own] = scores.aggregated(normal[own], weights[own], how, there)
    return found
