"""Standardised rates and benchmarks against figures worked by hand, statsmodels and simulation."""

import numpy as np
import pytest
import statsmodels.api as sm

from yuyan.estimate.standardise import benchmark, cluster_error, standardised

# Two towns, young and old people: the crude comparison says B is thrice as bad, age for age they are near.
DEATHS = {"A": [90, 40], "B": [10, 300]}
PEOPLE = {"A": [9000, 1000], "B": [1000, 9000]}


def _rows(table: dict[str, list[float]]) -> np.ndarray:
    return np.array([v for values in table.values() for v in values], dtype=float)


UNIT = ["A", "A", "B", "B"]
STRATUM = ["young", "old", "young", "old"]


def test_direct_standardisation_compares_like_with_like():
    """On as many young as old: A (0.010 + 0.040) / 2, B (0.010 + 0.0333) / 2; crude it is 0.013 and 0.031."""
    found = standardised(UNIT, _rows(DEATHS), _rows(PEOPLE), [10_000] * 4)
    assert found.units.tolist() == ["A", "B"]
    assert found.rate == pytest.approx([0.025, (0.01 + 300 / 9000) / 2])
    assert found.covered == pytest.approx([1, 1])


def test_post_stratification_undoes_a_changed_mix_of_answers():
    """Rates per stratum do not move, only who answers: the crude share rises, the post-stratified one stays."""
    frame, rate = np.array([500, 500]), np.array([0.6, 0.9])
    for answered in ([250, 250], [100, 400]):
        n = np.array(answered)
        assert standardised(["u", "u"], n * rate, n, frame).rate == pytest.approx([0.75])
    assert 400 * 0.9 + 100 * 0.6 > 0.75 * 500


def test_strata_without_answers_are_left_out_and_told():
    found = standardised(["u", "u", "v"], [5, 0, 0], [10, 0, 0], [30, 10, 10])
    assert found.rate[0] == pytest.approx(0.5)
    assert found.covered == pytest.approx([0.75, 0])
    assert np.isnan(found.rate[1])


def test_cluster_error_is_what_leaving_out_one_course_at_a_time_gives():
    """And hardly more than the robust error of a regression on the answers, where courses are many and alike."""
    rng = np.random.default_rng(7)
    n = rng.integers(5, 40, 30)
    x = rng.binomial(n, rng.beta(12, 3, 30))
    answers = np.concatenate([np.r_[np.ones(a), np.zeros(b - a)] for a, b in zip(x, n, strict=True)])
    course = np.repeat(np.arange(30), n)
    fit = sm.OLS(answers, np.ones_like(answers)).fit(
        cov_type="cluster", cov_kwds={"groups": course, "use_correction": False}
    )
    (error,) = cluster_error(["u"] * 30, x, n)
    without = (x.sum() - x) / (n.sum() - n)
    assert error == pytest.approx(np.sqrt(29 / 30 * ((without - x.sum() / n.sum()) ** 2).sum()))
    assert 1 < error / fit.bse[0] < 1.1
    assert np.isnan(cluster_error(["u"], [3], [5])).all()


def test_benchmark_by_hand():
    """Two units, two strata. Young rate 100/10000, old 340/10000; A expects (9000 * .01 + 1000 * .034) / 10000."""
    found = benchmark(UNIT, STRATUM, _rows(DEATHS), _rows(PEOPLE))
    assert found.observed == pytest.approx([0.013, 0.031])
    assert found.expected == pytest.approx([0.0124, (1000 * 0.01 + 9000 * 0.034) / 10_000])
    assert found.own_share == pytest.approx([0.9 * 0.9 + 0.1 * 0.1] * 2)
    variance = 0.9**2 * 0.01 * 0.99 * (1 / 9000 - 1 / 10_000) + 0.1**2 * 0.034 * 0.966 * (
        1 / 1000 - 1 / 10_000
    )
    assert found.error[0] == pytest.approx(np.sqrt(variance))
    assert np.sum(found.expected * [10_000, 10_000]) == pytest.approx(
        _rows(DEATHS).sum()
    )  # benchmarks add up


def test_a_unit_alone_in_its_strata_is_compared_with_itself():
    found = benchmark(["A", "B"], ["s", "t"], [3, 5], [10, 10])
    assert found.own_share == pytest.approx([1, 1])
    assert found.gap == pytest.approx([0, 0])
    assert np.isnan(found.probability_below(0.03)).all()


def test_the_error_of_the_gap_is_that_of_simulated_cities():
    """500 cities of 12 equal units: the spread of the gap, and one in forty sound units beyond two errors."""
    rng = np.random.default_rng(11)
    n = rng.integers(20, 200, (12, 3))
    rate = np.array([0.5, 0.7, 0.9])
    unit, stratum = np.repeat(np.arange(12), 3), np.tile(np.arange(3), 12)
    found = [benchmark(unit, stratum, rng.binomial(n, rate).ravel(), n.ravel()) for _ in range(500)]
    scaled = np.array([f.gap / f.error for f in found])
    assert scaled.std() == pytest.approx(1, abs=0.03)
    assert np.mean(scaled < -1.96) == pytest.approx(0.025, abs=0.006)


def test_a_weak_unit_is_found_and_a_sound_one_is_not():
    unit, stratum = ["weak", "weak", "a", "a", "b", "b"], ["m", "d"] * 3
    found = benchmark(unit, stratum, [60, 60, 180, 190, 170, 180], [100, 100, 200, 200, 200, 200])
    below = dict(zip(found.units.tolist(), found.probability_below(0.025), strict=True))
    assert below["weak"] > 0.99
    assert max(below["a"], below["b"]) < 0.01
