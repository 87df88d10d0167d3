"""Paths by hand-counted figures of the plan, projections against statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm

from yuyan.estimate import paths
from yuyan.estimate.paths import Milestone

BASE, DUE = Milestone(2025, 0.20), Milestone(2030, 0.30)
YEARS = [2024, 2025, 2027, 2030, 2032]


def test_linear():
    assert paths.linear(YEARS, BASE, DUE) == pytest.approx([np.nan, 0.20, 0.24, 0.30, 0.30], nan_ok=True)
    assert paths.linear([2026], Milestone(2025, 0.4), DUE) == pytest.approx([0.30])


def test_backloaded_has_a_quarter_at_half_time():
    found = paths.backloaded(YEARS, BASE, DUE)
    assert found == pytest.approx([np.nan, 0.20, 0.20 + 0.1 * 0.16, 0.30, 0.30], nan_ok=True)
    assert paths.backloaded(2027.5, BASE, DUE) == pytest.approx(0.225)


def test_piecewise_core_courses():
    """30 % after three years, all after five."""
    course = [Milestone(2025, 0), Milestone(2028, 0.3), Milestone(2030, 1)]
    assert paths.piecewise([2024, 2026, 2028, 2029, 2031], course) == pytest.approx(
        [np.nan, 0.1, 0.3, 0.65, 1], nan_ok=True
    )


def test_cagr_of_five_percent_is_1_276_after_five_years():
    found = paths.cagr([2024, 2025, 2030, 2031], Milestone(2025, 1000), 0.05, due_year=2030)
    assert found == pytest.approx([np.nan, 1000, 1276.28, 1276.28], abs=0.01, nan_ok=True)
    assert np.isnan(paths.cagr([2026], Milestone(2025, 0), 0.05)).all()


def test_step_of_new_degree_points():
    steps = [Milestone(y, v) for y, v in ((2026, 0), (2027, 5), (2028, 8), (2029, 11), (2030, 15))]
    found = paths.step([2025, 2026, 2028, 2035], steps)
    assert found == pytest.approx([np.nan, 0, 8, 15], nan_ok=True)
    with pytest.raises(ValueError, match="in order of years"):
        paths.step([2026], [Milestone(2028, 1), Milestone(2027, 2)])


def test_required_pace():
    found = paths.required_pace([0.24, 0.31, 0.29, 0.29, np.nan], [2027, 2028, 2030, 2029, 2028], 0.30, 2030)
    assert found == pytest.approx([0.02, 0, np.nan, 0.01, np.nan], nan_ok=True)
    growth = paths.required_growth([1000, 1300, 0], [2025, 2026, 2026], 1276.28, 2030)
    assert growth == pytest.approx([0.05, 0, np.nan], abs=1e-5, nan_ok=True)


@pytest.mark.parametrize("gap", [False, True])
def test_projection_agrees_with_statsmodels(gap):
    years = np.arange(2018, 2027)
    values = np.random.default_rng(3).normal(0.3, 0.02, (4, 9)) + 0.01 * (years - 2018)
    if gap:
        values[:, 6] = np.nan
    found = paths.project(years, values)
    for i, series in enumerate(values):
        kept = (years > 2021) & ~np.isnan(series)
        fit = sm.OLS(series[kept], sm.add_constant(years[kept] - 2022.0)).fit()
        expected = fit.get_prediction([[1, 8.0]]).summary_frame(alpha=0.20)
        assert found.value[i] == pytest.approx(expected["mean"][0])
        assert found.lower[i] == pytest.approx(expected["obs_ci_lower"][0])
        assert found.upper[i] == pytest.approx(expected["obs_ci_upper"][0])


def test_three_points_give_no_projection_and_rates_stay_rates():
    few = paths.project([2023, 2024, 2025, 2026], [np.nan, 0.1, 0.2, 0.3])
    assert np.isnan([few.value, few.lower, few.upper]).all()
    steep = paths.project([2022, 2023, 2024, 2025], [0.5, 0.63, 0.77, 0.9], bounds=(0, 1))
    assert (steep.value[0], steep.upper[0]) == (1, 1)
    exact = paths.project([2022, 2023, 2024, 2025], [1, 2, 3, 4])
    assert [exact.value[0], exact.lower[0], exact.upper[0]] == pytest.approx([9, 9, 9])


def test_thirty_percent_in_three_years_and_all_in_five_is_an_alarm():
    """Ten points a year, then thirty-five; the straight way would have sixty percent after three years."""
    found = paths.feasibility(Milestone(2025, 0), [Milestone(2028, 0.30), Milestone(2030, 1)])
    assert [s.required_pace for s in found] == pytest.approx([0.10, 0.35])
    assert [s.straight_level for s in found] == pytest.approx([0.60, 1])
    assert found[1].pace_ratio == pytest.approx(3.5)
    assert [s.is_alarm for s in found] == [False, True]


def test_an_even_way_is_no_alarm_and_a_late_start_is():
    even = paths.feasibility(Milestone(2025, 0), [Milestone(2028, 0.6), Milestone(2030, 1)])
    idle = paths.feasibility(Milestone(2025, 0), [Milestone(2028, 0), Milestone(2030, 1)])
    assert [s.is_alarm for s in even] == [False, False]
    assert [s.is_alarm for s in idle] == [False, True]
