"""How much of a ranking is choice: indices of a known function, and a city in which the answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import worked_example as example
from scipy import stats

from yuyan.allocate import robustness
from yuyan.allocate.robustness import ASSUMPTIONS, Problem


def ishigami(x: np.ndarray, a: float = 7, b: float = 0.1) -> np.ndarray:
    """Ishigami and Homma (1990); its indices follow from a and b."""
    return np.sin(x[:, 0]) + a * np.sin(x[:, 1]) ** 2 + b * x[:, 2] ** 4 * np.sin(x[:, 0])


def test_indices_of_the_ishigami_function_are_the_analytic_ones_within_their_error():
    a, b = 7, 0.1
    one, two = (1 + b * np.pi**4 / 5) ** 2 / 2, a**2 / 8
    mixed = 8 * b**2 * np.pi**8 / 225
    variance = one + two + mixed
    found = robustness.sobol_of(ishigami, lambda rng, n: rng.uniform(-np.pi, np.pi, (n, 3)), 20_000, seed=1)
    first, total = np.array([one, two, 0]) / variance, np.array([one + mixed, two, mixed]) / variance
    assert (np.abs(found.first[:, 0] - first) < 3 * found.first_error[:, 0]).all()
    assert (np.abs(found.total[:, 0] - total) < 3 * found.total_error[:, 0]).all()
    assert found.first_error.max() < 0.02
    assert found.total_error.max() < 0.02


def problem(**changes) -> Problem:
    other = np.full_like(example.VALUES, np.nan)
    other[:, 1] = [0.35, 0.45, 0.40, 0.55]
    definitions = np.stack([example.VALUES, other])
    return replace(Problem(example.FORMULA, definitions, np.full(definitions.shape, 0.01)), **changes)


def test_the_same_seed_gives_the_same_figures_and_another_one_does_not():
    one, two, three = (robustness.robustness(problem(), 500, seed) for seed in (1, 1, 2))
    assert (one.grant_low == two.grant_low).all()
    assert (one.sobol.first == two.sobol.first).all()
    assert (one.score_low != three.score_low).any()


def test_ranks_intervals_and_who_is_ahead_agree():
    found = robustness.robustness(problem(), 1000, 1)
    assert found.rank.tolist() == [2, 4, 1, 3]
    assert (found.rank_low <= found.median_rank).all()
    assert (found.median_rank <= found.rank_high).all()
    assert found.ahead + found.ahead.T == pytest.approx(np.ones((4, 4)))
    assert (found.tied == found.tied.T).all()
    assert found.tied.diagonal().all()
    assert (found.grant_low <= found.grant_high).all()


def test_a_unit_that_is_best_in_everything_is_first_whatever_is_assumed():
    values = np.array([[1.0, 0.6, 0], [0.93, 0.3, 5], [0.94, 0.35, 6], [0.92, 0.31, 7]])
    found = robustness.robustness(problem(definitions=values[None], errors=np.full((1, 4, 3), 1e-4)), 1000, 1)
    assert (found.rank_low[0], found.rank_high[0]) == (1, 1)
    assert (found.ahead[0, 1:] == 1).all()
    assert not found.tied[0, 1:].any()
    assert found.sobol.total[:, 0] == pytest.approx(np.zeros(len(ASSUMPTIONS)))


def test_an_assumption_without_alternatives_explains_nothing():
    still = problem(definitions=example.VALUES[None], errors=np.zeros((1, 4, 3)), drop_probability=0.0)
    found = robustness.robustness(still, 2000, 1)
    for name in ("drop_one", "definition", "sampling"):
        assert (found.sobol.total[ASSUMPTIONS.index(name)] == 0).all(), name
    assert found.sobol.total[ASSUMPTIONS.index("weights")].max() > 0.1


def test_missing_values_are_left_out_of_every_draw():
    values = example.VALUES.copy()
    values[1, 2] = np.nan
    found = robustness.robustness(problem(definitions=values[None], errors=np.zeros((1, 4, 3))), 500, 1)
    assert np.isfinite(found.score_low).all()


def test_equal_scores_share_the_better_place():
    score = np.array([[3.0, 5, 5, 1], [2, 2, 2, 2]])
    expected = stats.rankdata(-score, method="min", axis=1)
    assert robustness.ranks(score) == pytest.approx(expected)


def test_dirichlet_noise_has_the_stated_width_at_average_weight():
    even = replace(example.FORMULA.indicators, weights=np.full(3, 1 / 3))
    drawn = robustness.draw(
        problem(formula=replace(example.FORMULA, indicators=even)), 40_000, np.random.default_rng(1)
    )
    noisy = drawn.weights[~np.isclose(drawn.weights[:, 0], drawn.weights[:, 1], rtol=0, atol=1e-12)]
    entropy = noisy[np.isclose(noisy[:, 0], noisy[0, 0])] if len(noisy) < 2 else noisy
    values, counts = np.unique(entropy[:, 0], return_counts=True)
    only_noise = values[counts == 1]
    assert only_noise.std() / (1 / 3) == pytest.approx(0.25, rel=0.05)
    assert only_noise.mean() == pytest.approx(1 / 3, rel=0.02)


def test_effective_weights_show_an_indicator_that_does_not_tell_units_apart():
    values = example.VALUES.copy()
    values[:, 0] = 0.95
    audit = robustness.weight_audit(example.FORMULA, values)
    assert audit.nominal == pytest.approx([0.5, 0.3, 0.2])
    assert audit.effective[0] == 0
    assert audit.effective.sum() == pytest.approx(1)
    assert audit.rank_shift[0] == 0
    assert audit.entropy[0] == 0
