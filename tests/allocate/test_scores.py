"""Normalising and aggregating, against what others have published."""

import numpy as np
import pytest

from yuyan.allocate import scores
from yuyan.allocate.scores import Indicators

# Human Development Report 2015, table 1 (values of 2014): HDI, life expectancy, expected and mean years of schooling, GNI
HDI = {
    "Norway": (0.944, 81.6, 17.5, 12.6, 64_992),
    "Switzerland": (0.930, 83.0, 15.8, 12.8, 56_431),
    "Netherlands": (0.922, 81.6, 17.9, 11.9, 45_435),
    "Germany": (0.916, 80.9, 16.5, 13.1, 43_919),
    "United States": (0.915, 79.1, 16.5, 12.9, 52_947),
    "Hong Kong, China (SAR)": (0.910, 84.0, 15.6, 11.2, 53_959),
    "Australia": (0.935, 82.4, 20.2, 13.0, 42_261),
    "Singapore": (0.912, 83.0, 15.4, 10.6, 76_628),
    "Japan": (0.891, 83.5, 15.3, 11.5, 36_927),
}
# COINr 1.0, article "Presenting Results": index, Conn, Sust; pillars of Conn; pillars of Sust
COINR = {
    "CHE": ((68.38, 62.79, 73.98), (63.41, 32.87, 74.78, 85.94, 56.93), (77.21, 87.85, 56.88)),
    "NLD": ((64.82, 61.94, 67.70), (64.87, 46.62, 84.55, 71.74, 41.92), (58.73, 86.58, 57.78)),
    "DNK": ((64.80, 57.10, 72.51), (50.52, 30.43, 78.13, 75.35, 51.04), (69.83, 86.40, 61.29)),
    "NOR": ((64.47, 57.44, 71.50), (58.18, 25.70, 80.03, 89.46, 33.80), (70.90, 87.00, 56.59)),
    "BEL": ((63.54, 63.99, 63.09), (71.97, 48.22, 80.84, 75.60, 43.32), (53.01, 86.17, 50.09)),
    "SWE": ((63.00, 53.87, 72.12), (51.51, 23.87, 80.98, 74.51, 38.50), (66.37, 87.74, 62.27)),
}


@pytest.mark.parametrize("country", HDI)
def test_goalposts_and_the_geometric_mean_give_the_published_human_development_index(country):
    """Goalposts of the report: 20 to 85 years, 0 to 18 and 15 years, 100 to 75,000 dollars in logarithms."""
    published, life, expected, mean, income = HDI[country]
    single = scores.goalpost(
        [life, expected, mean, np.log(income)], [20, 0, 0, np.log(100)], [85, 18, 15, np.log(75_000)]
    )
    education = scores.aggregated(single[None, 1:3], np.ones(2))[0]
    whole = scores.aggregated([[single[0], education, single[3]]], np.ones(3), "geometric")[0]
    assert whole / 100 == pytest.approx(published, abs=0.0011)


@pytest.mark.parametrize("country", COINR)
def test_nested_weights_are_flat_weights_and_give_the_published_coinr_index(country):
    (index, connectivity, sustainability), conn, sust = COINR[country]
    assert scores.aggregated([conn], np.ones(5))[0] == pytest.approx(connectivity, abs=0.01)
    assert scores.aggregated([sust], np.ones(3))[0] == pytest.approx(sustainability, abs=0.01)
    flat = np.array([0.5 / 5] * 5 + [0.5 / 3] * 3)
    assert scores.aggregated([(*conn, *sust)], flat)[0] == pytest.approx(index, abs=0.01)


VALUES = np.array([[1.0, 10], [2, 30], [4, 20]])
UP_DOWN = Indicators(
    ("a", "b"), np.array([0.5, 0.5]), np.array([0.0, 40]), np.array([5.0, 0]), ("goalpost", "goalpost")
)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("goalpost", [[20, 75], [40, 25], [80, 50]]),
        ("min_max", [[0, 100], [100 / 3, 0], [100, 50]]),
        ("rank", [[0, 100], [50, 0], [100, 50]]),
    ],
)
def test_each_normalisation_puts_the_better_higher(how, expected):
    assert scores.normalised(VALUES, UP_DOWN, how) == pytest.approx(np.array(expected, dtype=float))


def test_z_scores_have_mean_50_and_a_standard_deviation_of_a_sixth_of_the_scale():
    found = scores.normalised(VALUES, UP_DOWN, "z")
    assert found.mean(axis=0) == pytest.approx([50, 50])
    assert found.std(axis=0) == pytest.approx([scores.Z_POINTS] * 2)
    assert found[2, 0] == pytest.approx(50 + scores.Z_POINTS * (4 - 7 / 3) / VALUES[:, 0].std())


@pytest.mark.parametrize("how", ["min_max", "z"])
def test_where_all_are_equal_all_are_in_the_middle(how):
    assert (scores.normalised(np.ones((3, 2)), UP_DOWN, how) == 50).all()


def test_a_unit_that_lacks_a_value_is_scored_on_its_others_and_moves_nobody():
    values = np.array([[1.0, np.nan], [2, 30], [4, 20]])
    there = ~np.isnan(values)
    found = scores.aggregated(
        scores.normalised(scores.filled(values), UP_DOWN), UP_DOWN.weights, "arithmetic", there
    )
    assert found == pytest.approx([20, 32.5, 65])


def test_an_indicator_that_nobody_has_is_refused():
    with pytest.raises(ValueError, match="no unit has a value of indicator 1"):
        scores.filled([[1.0, np.nan], [2.0, np.nan]])


def test_a_zero_does_not_erase_a_geometric_mean():
    assert scores.aggregated([[0, 100]], np.ones(2), "geometric")[0] == pytest.approx(10)


def test_entropy_weights_reward_what_differs():
    weights = scores.entropy_weights([[50, 10], [50, 50], [50, 90]])
    assert weights == pytest.approx([0, 1])
