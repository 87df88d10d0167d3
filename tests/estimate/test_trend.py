"""The trend rule against statsmodels and cases judged by eye."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats.proportion import test_proportions_2indep as two_proportions

from yuyan.estimate.trend import probability_decline, rate_error, trend


def test_slope_bound_agrees_with_weighted_least_squares_of_known_variances():
    values, errors = np.array([0.85, 0.88, 0.87]), np.array([0.010, 0.006, 0.008])
    fit = sm.WLS(values, sm.add_constant(np.arange(3.0)), weights=1 / errors**2).fit(cov_type="fixed scale")
    found = trend(values, errors)
    assert found.slope[0] == pytest.approx(fit.params[1])
    assert found.slope_lower[0] == pytest.approx(fit.params[1] - stats.norm.ppf(0.9) * fit.bse[1])


def test_probability_of_decline_is_the_wald_p_value():
    before, now, n = 0.90, 0.87, 800
    wald = two_proportions(now * n, n, before * n, n, method="wald", alternative="smaller", compare="diff")
    errors = [np.sqrt(p * (1 - p) / n) for p in (before, now)]
    assert 1 - probability_decline(before, now, *errors) == pytest.approx(wald.pvalue, rel=1e-3)


def test_error_of_a_rate():
    """The Beta's own variance a b / ((a + b)^2 (a + b + 1)); all content is not certainty; no answers, no error."""
    assert rate_error(80, 100) == pytest.approx(np.sqrt(80.5 * 20.5 / (101**2 * 102)))
    assert rate_error(50, 50) > 0
    assert np.isnan(rate_error(0, 0))


@pytest.mark.parametrize(
    ("values", "n", "status"),
    [
        ([0.86, 0.87, 0.88], 20_000, "GREEN"),
        ([0.90, 0.86, 0.87], 20_000, "AMBER"),  # up on the year, but three years fall
        ([0.88, 0.88, 0.875], 1_000, "AMBER"),  # down within chance
        ([0.88, 0.88, 0.85], 20_000, "RED"),
        ([np.nan, 0.86, 0.88], 20_000, "GREEN"),  # two years: the slope between them
        ([0.86, np.nan, 0.88], 20_000, "GREY"),
        ([0.86, 0.88, np.nan], 20_000, "GREY"),
    ],
)
def test_status(values, n, status):
    values = np.array(values)
    errors = rate_error(np.nan_to_num(values) * n, n)
    assert trend(values, errors).status.tolist() == [status]


def test_series_are_judged_side_by_side_on_their_last_three_years():
    values = np.array([[0.2, 0.86, 0.87, 0.88], [0.99, 0.88, 0.88, 0.85]])
    errors = np.full((2, 4), 0.002)
    assert trend(values, errors).status.tolist() == ["GREEN", "RED"]
    with pytest.raises(ValueError, match="the year before"):
        trend([0.8], [0.01])
