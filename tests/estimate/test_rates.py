"""Rates against published examples and statsmodels; the warning rule against simulated points with known true rates."""

import numpy as np
import pytest
from calibration import points, rules, tables
from scipy import integrate, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from yuyan.estimate import rates

X = np.array([25, 10, 40, 173, 7, 1, 3])
N = np.array([200, 200, 200, 174, 30, 2, 8])


def test_the_interval_of_published_examples():
    """R package RSurveillance, documented output of binom.jeffreys(c(25, 10, 20), 200)."""
    lower, upper = rates.interval([25, 10, 20], 200)
    assert lower == pytest.approx([0.08462743, 0.02599340, 0.06416642], abs=1e-8)
    assert upper == pytest.approx([0.176126, 0.08687509, 0.14729862], abs=1e-6)


@pytest.mark.parametrize("level", [0.80, 0.95])
def test_the_interval_agrees_with_statsmodels_and_is_exact_where_few_are_on_one_side(level):
    lower, upper = rates.interval(X, N, level)
    few = np.minimum(X, N - X) < rates.FEW
    assert few.any()
    assert not few.all()
    expected = [
        proportion_confint(x, n, alpha=1 - level, method="beta" if exact else "jeffreys")
        for x, n, exact in zip(X, N, few, strict=True)
    ]
    assert np.column_stack([lower, upper]) == pytest.approx(np.array(expected), abs=1e-10)


def test_edges_reach_zero_and_one_and_no_cases_have_no_interval():
    lower, upper = rates.interval([0, 10, 0], [10, 10, 0])
    assert lower[0] == 0
    assert upper[1] == 1
    assert upper[0] == pytest.approx(proportion_confint(0, 10, method="beta")[1])
    assert lower[1] == pytest.approx(proportion_confint(10, 10, method="beta")[0])
    assert np.isnan([lower[2], upper[2]]).all()


def test_the_interval_holds_every_rate_at_every_size():
    """Exact sums: at least 93 of 100 for every true rate, where Jeffreys' alone falls to 87."""
    truths = np.linspace(0.001, 0.999, 250)
    for n in (1, 10, 30, 100, 400):
        x = np.arange(n + 1)
        lower, upper = rates.interval(x, n)
        inside = (lower <= truths[:, None]) & (truths[:, None] <= upper)
        assert (stats.binom.pmf(x, n, truths[:, None]) * inside).sum(axis=1).min() >= tables.COVERAGE, n


@pytest.mark.parametrize(("x", "n"), [(11, 10), (-1, 10)])
def test_impossible_counts_are_named(x, n):
    with pytest.raises(ValueError, match=f"case 1: {x} of {n}"):
        rates.interval([1, x], [10, n])


def test_pooling_sums_the_years_that_end_at_each():
    assert rates.pooled([[1, 0, 2, 3], [5, 5, 5, 5]], 3).tolist() == [[1, 1, 3, 5], [5, 10, 15, 15]]
    assert rates.pooled([1, 2], 5).tolist() == [1, 3]


def test_prior_maximises_the_beta_binomial_likelihood():
    """Against scipy's beta-binomial over a grid of means and strengths."""
    rng = np.random.default_rng(5)
    n = rng.integers(20, 120, 300)
    x = rng.binomial(n, rng.beta(45, 5, 300))
    prior = rates.fit_prior(x, n, max_strength=1000)
    best = stats.betabinom.logpmf(x, n, prior.alpha, prior.beta).sum()
    means, strengths = np.meshgrid(np.linspace(0.86, 0.94, 17), np.geomspace(20, 200, 25))
    grid = stats.betabinom.logpmf(
        x, n, (means * strengths)[..., None], ((1 - means) * strengths)[..., None]
    ).sum(axis=-1)
    assert grid.max() <= best + 1e-6
    assert grid.max() == pytest.approx(best, abs=0.5)
    assert prior.mean == pytest.approx(0.9, abs=0.01)
    assert 35 < prior.strength < 70


def test_prior_strength_stays_within_its_limits():
    wild = rates.fit_prior([0, 30, 0, 30, 0, 30], [30] * 6)
    alike = rates.fit_prior([49] * 40, [50] * 40)
    sound = rates.fit_prior([12] * 12, [12] * 12)
    assert wild.strength == pytest.approx(rates.MIN_STRENGTH)
    assert alike.strength == pytest.approx(rates.MAX_STRENGTH)
    assert alike.mean == pytest.approx(0.98, abs=1e-3)
    assert 0.99 < sound.mean < 1


def test_small_groups_take_the_prior_of_the_whole_city():
    group = ["doctor"] * 3 + ["master"] * 12
    n = np.full(15, 40)
    x = np.array([20, 22, 24, 39, 40, 38, 40, 39, 40, 36, 40, 40, 39, 40, 38])
    priors = rates.fit_priors(group, x, n)
    assert priors["doctor"] == rates.fit_prior(x, n)
    assert priors["master"] == rates.fit_prior(x[3:], n[3:])
    with pytest.raises(ValueError, match="at least one unit"):
        rates.fit_prior([0, 0], [0, 0])


def test_posterior_is_prior_times_likelihood():
    """Against numerical integration of the Beta density times the binomial probability."""
    x, n, a, b, floor = 17, 20, 30.0, 1.5, 0.95

    def density(p):
        return stats.beta.pdf(p, a, b) * stats.binom.pmf(x, n, p)

    whole = integrate.quad(density, 0, 1)[0]
    assert rates.probability_below(x, n, a, b, floor) == pytest.approx(
        integrate.quad(density, 0, floor)[0] / whole
    )
    mean = integrate.quad(lambda p: p * density(p), 0, 1)[0] / whole
    assert rates.shrunk(x, n, a, b) == pytest.approx(mean)


def test_three_clean_theses_look_bad_to_jeffreys():
    """The catalogue's reason for the rule: 3 sampled, no problem, and still P(rate < 98 %) = 0.72."""
    assert rates.probability_below(3, 3, 0.5, 0.5, 0.98) == pytest.approx(0.72, abs=0.005)


def test_q_values_of_the_example_of_benjamini_and_hochberg():
    """Benjamini and Hochberg (1995), section 4.2: 15 tests of a thrombolysis trial, four rejected at q = 0.05."""
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344]
    p += [0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.000]
    q = rates.q_values(p)
    assert (q <= 0.05).tolist() == [True] * 4 + [False] * 11
    assert q == pytest.approx(multipletests(p, method="fdr_bh")[1])


def test_q_values_leave_out_what_was_not_tested():
    q = rates.q_values([0.04, np.nan, 0.01])
    assert np.isnan(q[1])
    assert q[[0, 2]] == pytest.approx(multipletests([0.04, 0.01], method="fdr_bh")[1])
    assert np.isnan(rates.q_values([np.nan])).all()


def test_exact_p_value_agrees_with_the_binomial_test():
    expected = [stats.binomtest(x, n, 0.95, alternative="less").pvalue for x, n in zip(X, N, strict=True)]
    assert rates.p_value_below(X, N, 0.95) == pytest.approx(expected)


def test_the_rule_on_units_that_can_be_judged_by_eye():
    """Prior Beta(49, 1): one problem in 20 is green, two amber, seven red; few cases are not judged."""
    found = rates.warning([20, 19, 18, 13, 3, 4, 0], [20, 20, 20, 20, 3, 9, 0], 49, 1)
    assert found.status.tolist() == ["GREEN", "GREEN", "AMBER", "RED", "GREY", "GREY", "GREY"]
    assert (
        found.probability_below[1] < 0.30 <= found.probability_below[2] < 0.95 <= found.probability_below[3]
    )
    assert np.isnan(found.q_value).tolist() == [False] * 4 + [True] * 3
    assert np.isnan([found.shrunk[6], found.probability_below[6], found.lower[6]]).all()


def test_no_alarm_without_an_adverse_event():
    """Under a bad prior a clean unit is probably below the floor, but nothing was seen there."""
    found = rates.warning([12, 11], [12, 12], 18, 2)
    assert found.probability_below[0] > 0.30
    assert found.status.tolist() == ["GREEN", "AMBER"]


def test_the_warning_rule_does_not_cry_wolf():
    """400 degree points with known true rates, 20 cities: false alarms, detection and the raw rule beside them."""
    outcomes = points.calibrate(simulations=20)
    false_alarms = {rule: o.false_alarms.mean() for rule, o in outcomes.items()}
    for prior in ("known", "fitted"):
        assert false_alarms[f"warning rule, prior {prior}: AMBER or RED"] <= 0.05
        assert false_alarms[f"warning rule, prior {prior}: RED"] <= 0.01
        assert outcomes[f"warning rule, prior {prior}: AMBER or RED"].detection.mean() > 0.20
    assert false_alarms["raw rate < 98 %"] > 0.10


def test_failed_theses_are_heard_at_the_sizes_that_institutions_have():
    """20 of 24 is looked at, and 70 theses need a few failures and not 26; RED at the floor is rare at every size."""
    group = np.array(["city"] * 33)
    n = np.array([24] + [70] * 32)
    x = np.array([20] + [69, 68, 70, 69] * 8)  # pass rates of one city: 98.5 %, with no spread beyond chance
    prior = rates.fit_priors(group, x, n)["city"]
    assert prior.strength <= 50
    assert rates.warning(x[:1], n[:1], prior.alpha, prior.beta).status[0] == "AMBER"
    failed = np.arange(27)
    of_seventy = rates.warning(70 - failed, np.full(27, 70), prior.alpha, prior.beta).status
    assert np.argmax(of_seventy == "AMBER") <= 6
    assert np.argmax(of_seventy == "RED") <= 12
    for table in (
        rules.pooled(seed=7, simulations=200),
        rules.benchmark(seed=7, simulations=1),
        rules.levels(),
    ):
        assert table.breaches() == []
