"""Data envelopment analysis against published examples."""

import numpy as np
import pytest

from yuyan.allocate import efficiency as dea

# Coelli (1996), A Guide to DEAP Version 2.1, examples 1 and 2: five firms each
FIVE = [2, 4, 3, 5, 6], [1, 2, 3, 4, 5]
FIVE_BY_TWO = [[2, 5], [2, 4], [6, 6], [3, 2], [6, 2]], [1, 2, 3, 1, 2]
# manual of DataEnvelopmentAnalysis.jl, "Radial Input Oriented Model"
ELEVEN = (
    [
        [5, 13],
        [16, 12],
        [16, 26],
        [17, 15],
        [18, 14],
        [23, 6],
        [25, 10],
        [27, 22],
        [37, 14],
        [42, 25],
        [5, 17],
    ],
    [12, 14, 25, 26, 8, 9, 27, 30, 31, 26, 12],
)


def test_variable_returns_of_the_published_examples():
    assert dea.input_efficiency(*FIVE) == pytest.approx([1, 0.625, 1, 0.9, 1])
    assert dea.input_efficiency(*ELEVEN) == pytest.approx(
        [1, 0.8699861687, 1, 1, 0.7116402116, 1, 1, 1, 1, 0.4931209269, 1], abs=1e-9
    )


def test_constant_returns_of_the_published_examples():
    assert dea.input_efficiency(*FIVE_BY_TWO, returns="CRS") == pytest.approx(
        [0.5, 1, 0.833, 0.714, 1], abs=5e-4
    )
    assert dea.input_efficiency(*ELEVEN, returns="CRS") == pytest.approx(
        [1, 0.62229, 0.819856, 1, 0.310371, 0.555556, 1, 0.757669, 0.820106, 0.490566, 1], abs=5e-6
    )


def test_the_bandwidth_of_the_published_bootstrap():
    """DataEnvelopmentAnalysis.jl publishes 0.1341004 for the five firms."""
    assert dea.bandwidth(dea.input_efficiency(*FIVE)) == pytest.approx(0.1341004, abs=1e-6)


def test_the_bootstrap_corrects_downward_and_its_interval_lies_below_the_estimate():
    found = dea.efficiency(*ELEVEN, draws=200, seed=1)
    assert (found.corrected < found.score).all()
    assert (found.lower <= found.corrected).all()
    assert (found.corrected <= found.upper).all()
    assert (found.upper <= found.score + 1e-9).all()
    again = dea.efficiency(*ELEVEN, draws=200, seed=1)
    assert (again.corrected == found.corrected).all()


def test_the_interval_covers_a_known_frontier():
    """One input, one output, frontier x = y: the true efficiency is in the 95 % interval of most of sixty units."""
    rng = np.random.default_rng(7)
    y = rng.uniform(1, 4, 60)
    true = np.exp(-np.abs(rng.normal(0, 0.3, 60)))
    found = dea.efficiency(y / true, y, draws=200, seed=2)
    assert ((found.lower <= true) & (true <= found.upper)).mean() > 0.8
    assert (true <= found.score + 1e-9).all()


def test_units_of_measure_do_not_matter():
    x, y = (np.array(v, dtype=float) for v in ELEVEN)
    assert dea.input_efficiency(x * [1e6, 1e-3], y * 1e4) == pytest.approx(dea.input_efficiency(x, y))


def test_without_an_inefficient_unit_no_interval_is_made_up():
    found = dea.efficiency([1, 2, 3], [1, 3, 4], draws=10, seed=1)
    assert found.score == pytest.approx([1, 1, 1])
    assert np.isnan(found.corrected).all()


@pytest.mark.parametrize("x", [[0, 1, 2], [1, -1, 2], [1, np.nan, 2]])
def test_impossible_inputs_are_refused(x):
    with pytest.raises(dea.EfficiencyError, match="positive"):
        dea.input_efficiency(x, [1, 1, 1])


def test_the_rule_of_thumb_for_the_number_of_units():
    assert dea.smallest_sample(2, 3) == 15
    assert dea.smallest_sample(1, 1) == 6
