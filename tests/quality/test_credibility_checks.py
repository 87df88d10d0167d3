"""Each check on figures worked out by hand or by plain sums of probabilities: one unit breaks it, another passes."""

from math import comb, exp, factorial, sqrt

import numpy as np
import pytest

from yuyan.assess import checks

NAN = np.nan


def test_robust_sd_is_the_scaled_median_absolute_deviation_of_a_units_own_changes():
    # changes 1 2 3 4 100: median 3, absolute deviations 2 1 0 1 97, their median 1
    middle, spread = checks.robust_sd([[1, 2, 3, 4, 100]])
    assert (middle[0], spread[0]) == pytest.approx((3, 1.4826))


def test_a_short_history_borrows_all_units():
    # the second unit has one change; all six together are 0 1 2 3 4 8: median 2.5, deviations .5 .5 1.5 1.5 2.5 5.5
    middle, spread = checks.robust_sd([[0, 1, 2, 3, 4], [NAN, NAN, NAN, NAN, 8]])
    assert (middle[1], spread[1]) == pytest.approx((2.5, 1.4826 * 1.5))
    assert np.isnan(checks.robust_sd([[1, NAN], [2, NAN]])[1]).all()


def change(values, sizes=None, **given):
    return checks.yearly_change(
        values, sizes, **dict(relative=True, noise="none", floor=0.1, least=0) | given
    )


def test_a_change_within_the_usual_spread_passes_and_one_beyond_is_an_alarm():
    # yearly growth 0 %, 10 %, -10 %, 10 %, -10 %, then the year judged; median 0, MAD 10 %: 3 robust SD are 44.478 %
    steady = [1000.0]
    for growth in (0, 0.1, -0.1, 0.1, -0.1):
        steady.append(steady[-1] * (1 + growth))
    before = steady[-1]
    found = change([[*steady, before * 1.44], [*steady, before * 1.45], [*steady, before * 0.55]])
    assert found.expected == pytest.approx(before)
    assert found.threshold == pytest.approx(0.44478 * before)
    assert found.is_alarm.tolist() == [False, True, True]


def test_a_quiet_history_leaves_the_floor():
    quiet = [[100.0] * 6 + [last] for last in (110.0, 111.0, 89.0)]
    assert change(quiet).is_alarm.tolist() == [False, True, True]
    # of a small unit, 20 records are no finding whatever their share
    assert change(quiet, least=20).is_alarm.tolist() == [False, False, False]


def test_steady_growth_is_expected_to_go_on():
    growing = [100 * 1.2**i for i in range(7)]
    assert not change([growing]).is_alarm[0]
    assert change([[*growing[:-1], growing[-2]]]).is_alarm[0]  # standing still, where 20 % a year is usual


def test_counts_and_rates_may_move_by_chance():
    # 9 and 25 independent events: three standard errors of the difference are 3 * sqrt(34) = 17.5
    found = change([[9.0] * 6 + [25.0], [9.0] * 6 + [40.0]], noise="poisson")
    assert found.threshold[0] == pytest.approx(3 * sqrt(34))
    assert found.is_alarm.tolist() == [False, True]
    # 80 % and 90 % of 20 cases: pooled 85 %, standard error sqrt(.85 * .15 * (1/20 + 1/20))
    rates, sizes = [[0.8] * 6 + [0.9], [0.8] * 6 + [0.9]], [[20] * 7, [2000] * 7]
    found = change(rates, sizes, relative=False, noise="binomial", floor=0.05)
    assert found.threshold[0] == pytest.approx(3 * sqrt(0.85 * 0.15 / 10))
    assert found.is_alarm.tolist() == [False, True]


def test_a_unit_without_a_value_before_is_not_judged():
    found = change([[NAN, NAN, 5.0], [1.0, 0.0, 5.0], [1.0, 5.0, NAN]])
    assert np.isnan(found.threshold).all()
    assert not found.is_alarm.any()


def binomial_limits(n: int, p: float) -> tuple[float, float]:
    """The least rates that are exceeded with a chance of at most 99.9 % and 0.1 %, by summing single probabilities."""
    limits = []
    for tail in (0.001, 0.999):
        below = 0.0
        for r in range(n + 1):
            mass = comb(n, r) * p**r * (1 - p) ** (n - r)
            below += mass
            if below >= tail:
                limits.append(r / n)
                break
    return limits[0], limits[1]


def test_the_funnel_of_units_that_differ_by_chance_has_exact_binomial_limits():
    # twenty units of 200 cases around 10 %, then one of 50 inside its wider limits and one of 400 outside its narrower
    events = [20, 19, 21, 18, 22] * 4 + [9, 64]
    sizes = [200] * 20 + [50, 400]
    found = checks.peer_funnel(events, sizes, kind="binomial")
    centre = 473 / 4450
    assert found.expected == pytest.approx(centre)
    for i in (20, 21):
        assert found.threshold[i] == pytest.approx(binomial_limits(sizes[i], centre)[1] - centre, rel=1e-6)
    assert found.is_alarm.nonzero()[0].tolist() == [21]
    assert not checks.peer_funnel(events, sizes, kind="binomial", floor=0.06).is_alarm.any()
    # four times fewer independent cases: limits of 100, and no alarm
    clustered = checks.peer_funnel(events, sizes, kind="binomial", design_effect=4)
    assert clustered.threshold[21] == pytest.approx(binomial_limits(100, centre)[1] - centre, rel=1e-6)
    assert not clustered.is_alarm.any()


def test_the_funnel_of_counts_over_an_exposure_has_poisson_limits():
    events, sizes = [10, 11, 9, 10, 12, 8, 10, 25], [100.0] * 8
    found = checks.peer_funnel(events, sizes, kind="poisson")
    mean, below = 95 / 8, 0.0
    for r in range(60):
        mass = exp(-mean) * mean**r / factorial(r)
        below += mass
        if below >= 0.999:
            break
    assert found.expected[7] + found.threshold[7] == pytest.approx(r / 100)
    assert found.is_alarm.nonzero()[0].tolist() == [7]


def test_a_small_unit_without_a_failure_is_no_alarm():
    # among 95 % of all, 100 % of 65 has a chance of 3.6 %; of 200 it has 0.004 %
    events, sizes = [950] * 9 + [65, 200], [1000] * 9 + [65, 200]
    found = checks.peer_funnel(events, sizes, kind="binomial")
    assert found.is_alarm.nonzero()[0].tolist() == [10]


def test_units_that_differ_more_than_by_chance_have_wider_limits():
    # thirty large units between 5 % and 15 %: by chance alone half of them would be alarms
    sizes = np.full(30, 2000.0)
    events = np.round(np.linspace(0.05, 0.15, 30) * sizes)
    assert (np.abs(events / sizes - 0.1) > 3.0902 * sqrt(0.1 * 0.9 / 2000)).sum() > 15
    assert not checks.peer_funnel(events, sizes, kind="binomial").is_alarm.any()
    # one that stands out from that spread, too, is still one
    events[-1] = 0.4 * 2000
    assert checks.peer_funnel(events, sizes, kind="binomial").is_alarm.nonzero()[0].tolist() == [29]


def test_the_extra_variance_is_dersimonian_lairds():
    # z-scores -2 … 2 of equal units: none is winsorised away beyond the 10 % quantiles, which are worked out here
    deviation = np.array([-0.02, -0.01, 0.0, 0.01, 0.02])
    variance = np.full(5, 0.0001)
    z = np.array([-1.6, -1.0, 0.0, 1.0, 1.6])  # ends moved in to the 10 % and 90 % quantiles
    tau2 = (np.sum(z**2) - 4) / (5 / 0.0001 - 5 * 0.0001**-2 / (5 / 0.0001))
    assert checks._between(deviation, variance) == pytest.approx(tau2)


def test_too_small_a_unit_takes_no_part_in_the_funnel():
    found = checks.peer_funnel([5, 10, 0], [5, 100, 0], kind="binomial", minimum_n=10)
    assert found.expected.tolist() == [0.1] * 3
    assert np.isnan(found.threshold).tolist() == [True, False, True]


def test_stock_is_stock_before_plus_entrants_less_leavers():
    # 1000 + 300 - 200 = 1100; 1 % are 11, of 50 students 3 at least
    found = checks.stock_flow(
        [1000, 1000, 50], [300, 300, 0], [200, 200, 0], [1111, 1088, 47], floor=0.01, least=3
    )
    assert found.expected.tolist() == [1100, 1100, 50]
    assert found.threshold.tolist() == [11, 11, 3]
    assert found.is_alarm.tolist() == [False, True, False]


def test_a_shift_of_shares_is_half_the_sum_of_the_differences():
    # 50/30/20 % to 30/30/40 %: 20 points moved
    found = checks.share_shift(
        [[500, 300, 200]] * 2, [[300, 300, 400], [480, 310, 210]], floor=0.1, minimum_n=30
    )
    assert found.observed == pytest.approx([0.2, 0.02])
    assert found.is_alarm.tolist() == [True, False]


def test_of_few_records_a_shift_may_be_chance():
    # 15/15 to 9/21: 20 points of 30 records; two samples of 30 differ by up to 3 standard deviations of |difference|
    found = checks.share_shift([[15, 15], [15, 14]], [[9, 21], [9, 21]], floor=0.1, minimum_n=30)
    error = sqrt(0.4 * 0.6 * 2 / 30)
    assert found.threshold[0] == pytest.approx(error * (sqrt(2 / np.pi) + 3 * sqrt(1 - 2 / np.pi)))
    assert not found.is_alarm[0]
    assert np.isnan(found.threshold[1])


def test_heaping_is_an_excess_that_chance_does_not_give():
    # of 100 values 20 are expected on multiples of 5; P(33 or more) is 0.16 %, P(34 or more) 0.07 %
    tails = [sum(comb(100, k) * 0.2**k * 0.8 ** (100 - k) for k in range(h, 101)) for h in (33, 34)]
    assert tails[0] > checks.TAIL > tails[1]
    found = checks.heaping([33, 34, 5, 20], [100, 100, 100, 20], expected=0.2, floor=0.1, minimum_n=30)
    assert found.is_alarm.tolist() == [False, True, False, False]
    assert np.isnan(found.threshold[3])
    assert not checks.heaping([34], [100], expected=0.2, floor=0.15, minimum_n=30).is_alarm[0]


def test_a_revision_of_a_count_is_a_share_and_of_a_rate_a_difference_beside_its_interval():
    relative, rates = [True] * 4, [False] * 3
    moved, halves = checks.revision([0, 0, 100, -5], [1, 30, 110, 5], [NAN] * 4, relative, [5, 5, 20, 0])
    assert moved == pytest.approx([1 / 5, 1, 10 / 110, 2])  # a negative amount that turned is twice the scale
    assert np.isnan(halves).all()
    moved, halves = checks.revision([0, 0.5, 0.5], [1 / 11, 0.6, 0.6], [11, 100, NAN], rates, [0] * 3)
    assert moved == pytest.approx([1 / 11, 0.1, 0.1])
    z = 1.959964
    assert halves[0] == pytest.approx(1 / 11 / (z * sqrt(z**2 / (4 * 121)) / (1 + z**2 / 11)))
    assert halves[1] == pytest.approx(0.1 / (z * sqrt(0.25 / 100 + z**2 / 40000) / (1 + z**2 / 100)))
    assert np.isnan(halves[2])  # the size is not known: no interval to stay within
