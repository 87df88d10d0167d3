"""The stratified rate against a published example, the exact interval and the normal approximation of Cochran."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from yuyan.estimate.stratified import Strata, stratified_rate, weighted_strata

# Lohr, Sampling: Design and Analysis, example of the American Council of Learned Societies: percent women by discipline.
POPULATION = np.array([9100, 1950, 5500, 10850, 2100, 5500, 9000])
SAMPLED = np.array([636, 451, 481, 611, 493, 575, 588])
SHARE = np.array([38, 27, 18, 19, 36, 13, 26]) / 100


def test_the_published_example():
    """Estimate 0.2465 with standard error 0.0071."""
    found = stratified_rate(Strata(SHARE * SAMPLED, SAMPLED, POPULATION), seed=1, draws=40_000)
    assert round(found.value, 4) == 0.2465
    assert (found.upper - found.lower) / (2 * 1.96) == pytest.approx(0.0071, rel=0.02)
    assert (found.upper + found.lower) / 2 == pytest.approx(0.2465, abs=0.001)


def test_one_stratum_of_an_endless_frame_has_the_exact_interval():
    one = Strata(np.array([57.0]), np.array([60.0]), np.array([1e9]))
    found = stratified_rate(one, seed=1, draws=100_000)
    assert [found.lower, found.upper] == pytest.approx(proportion_confint(57, 60, method="beta"), abs=0.001)


def test_an_invented_failure_for_every_stratum_is_one_for_the_city():
    """The city exactly at 98 %: 39 of 1,965 theses fail in 33 institutions, and it is not called below its floor."""
    sampled = np.full(65, 30.0)
    passed = sampled - (np.arange(65) < 39)
    found = stratified_rate(Strata(passed, sampled, sampled * 20), seed=1, floor=0.98)
    assert found.value == pytest.approx(0.98)
    assert found.lower < 0.98 < found.upper
    assert found.below < 0.60
    worse = stratified_rate(Strata(sampled - 1.2, sampled, sampled * 20), seed=1, floor=0.98)
    assert worse.below > 0.95


def test_the_finite_frame_narrows_the_interval_to_nothing():
    def width(population):
        found = stratified_rate(Strata(np.array([54.0]), np.array([60.0]), np.array([population])), seed=1)
        return found.upper - found.lower

    assert width(80.0) == pytest.approx(width(1e9) * np.sqrt(1 - 60 / 80), rel=0.02)
    assert width(60.0) == 0


def test_edges_seed_and_nothing_sampled():
    clean = Strata(np.array([12.0, 15.0]), np.array([12.0, 15.0]), np.array([120.0, 300.0]))
    none = Strata(np.zeros(1), np.array([12.0]), np.array([120.0]))
    assert stratified_rate(clean, seed=[3, 1]) == stratified_rate(clean, seed=[3, 1])
    assert stratified_rate(clean, seed=[3, 1]).lower != stratified_rate(clean, seed=[3, 2]).lower
    assert (stratified_rate(clean, seed=1).value, stratified_rate(clean, seed=1).upper) == (1, 1)
    assert (stratified_rate(none, seed=1).value, stratified_rate(none, seed=1).lower) == (0, 0)
    empty = stratified_rate(Strata(np.zeros(1), np.zeros(1), np.array([9.0])), seed=1)
    assert np.isnan([empty.value, empty.lower, empty.upper]).all()


def test_more_sampled_than_there_are_is_refused():
    with pytest.raises(ValueError, match="check its verdicts and inclusion_prob"):
        stratified_rate(Strata(np.array([5.0]), np.array([6.0]), np.array([5.0])), seed=1)
    with pytest.raises(ValueError, match="cannot be below 1"):
        weighted_strata(["a"], ["M"], [0.5], [True])


def test_strata_from_cases_keep_the_weighted_ratio_whatever_is_collapsed():
    rng = np.random.default_rng(7)
    stratum = np.repeat([f"M1{i}" for i in range(30)] + ["D10"], [2] * 30 + [40])
    weight = np.where(stratum == "D10", 10.0, 15.0 + np.unique(stratum, return_inverse=True)[1] % 7)
    passed = rng.random(len(stratum)) < 0.9
    kind = [s[:2] for s in stratum]
    found = weighted_strata(stratum, kind, weight, passed)
    assert len(found.sampled) == 2  # the large one, and the thirty small ones together
    assert stratified_rate(found, seed=1).value == pytest.approx((weight * passed).sum() / weight.sum())
    assert found.population.sum() == pytest.approx(weight.sum())
    own = np.isclose(found.population, 400)
    assert found.sampled[own] == pytest.approx([40])
    assert found.sampled[~own][0] < 60  # unequal weights are worth fewer cases


def test_a_hundred_tiny_strata_do_not_invent_failures():
    """Each stratum of one case, all but two passed: the interval stays around the estimate."""
    passed = np.arange(100) > 1
    found = stratified_rate(weighted_strata(np.arange(100), ["M"] * 100, np.full(100, 20.0), passed), seed=1)
    assert found.value == pytest.approx(0.98)
    assert 0.92 < found.lower < 0.98 < found.upper < 1
