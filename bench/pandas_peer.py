"""The peer of the robustness analysis: the same design in plain pandas, one draw after the other.

COINr regenerates the whole index for every replication in the same way, in R; it is in no repository that Debian's packages
reach, so its way of working stands in for it here.
"""

import numpy as np
import pandas as pd

from yuyan.allocate import scores
from yuyan.allocate.robustness import Draws, Problem


def drawn_scores(problem: Problem, draws: Draws, n: int) -> pd.DataFrame:
    """Composite scores of the first n draws, one row each."""
    of = problem.formula.indicators
    return pd.DataFrame([_score(problem, draws, i, of) for i in range(n)])


def _score(problem: Problem, draws: Draws, i: int, of: scores.Indicators) -> pd.Series:
    chosen = draws.definition[i]
    columns = range(len(chosen))
    values = pd.DataFrame({k: problem.definitions[chosen[k], :, k] for k in columns})
    errors = pd.DataFrame({k: problem.errors[chosen[k], :, k] for k in columns})
    values = values + errors * draws.sampling[i]
    upward = values * of.sign
    match scores.NORMALISATIONS[draws.normalisation[i]]:
        case "goalpost":
            single = (100 * (values - of.worst) / (of.best - of.worst)).clip(0, 100)
        case "min_max":
            single = 100 * (upward - upward.min()) / (upward.max() - upward.min())
        case "z":
            single = (50 + scores.Z_POINTS * (upward - upward.mean()) / upward.std(ddof=0)).clip(0, 100)
        case _:
            single = 100 * (upward.rank() - 1) / (len(upward) - 1)
    weights = pd.Series(draws.weights[i])
    if draws.drop_one[i] >= 0:
        weights[draws.drop_one[i]] = 0
    weights = weights / weights.sum()
    if scores.AGGREGATIONS[draws.aggregation[i]] == "geometric":
        return np.exp(np.log(single.clip(lower=scores.LOWEST)).mul(weights).sum(axis=1))
    return single.mul(weights).sum(axis=1)


def ranked(found: pd.DataFrame) -> pd.DataFrame:
    """Ranks of every draw, 1 is best."""
    return found.rank(axis=1, ascending=False, method="min")
