"""Scores to yuan: the example worked by hand, and what holds of every scheme."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
import worked_example as example
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from yuyan import settings as project
from yuyan.allocate import money
from yuyan.allocate.formula import Formula
from yuyan.allocate.scores import Indicators

EXACT = settings(max_examples=200, deadline=None, derandomize=True, database=None)


def test_the_example_worked_by_hand_comes_out_to_the_yuan():
    formula = example.FORMULA
    score = formula.scores(example.VALUES)
    assert score == pytest.approx(example.SCORES)
    steps = formula.steps(score)
    assert steps.unclamped == pytest.approx(example.UNCLAMPED, abs=0.005)
    assert steps.clamped == pytest.approx(example.CLAMPED, abs=0.005)
    assert steps.received == pytest.approx(example.RECEIVED, abs=0.005)
    assert steps.paid == pytest.approx(example.PAID, abs=0.005)
    assert steps.final.tolist() == example.FINAL
    assert steps.final.sum() == formula.budget


def test_the_page_shows_the_figures_of_the_example():
    text = (project.PROJECT / "docs" / "allocation.md").read_text(encoding="utf-8")
    steps = example.FORMULA.steps(np.array(example.SCORES))
    shown = [f"**{s:g}**" for s in example.SCORES] + [f"**{g:,}**" for g in example.FINAL]
    shown += [f"{v:,.2f}" for v in (*steps.performance, *steps.unclamped, *steps.paid[[0, 2]])]
    shown += [f"{v:,.0f}" for v in (*steps.lower, *steps.upper, *steps.received[[1, 3]])]
    shown += [f"{v:,.2f}" for v in money.payments(steps.unclamped, steps.clamped)[2, [0, 1, 3]]]
    shown += [f"{r.factor:.6f}" for r in steps.rounds[1:3]]
    assert [figure for figure in shown if figure not in text] == []


def test_the_rounds_of_clamping_are_told():
    rounds = example.FORMULA.steps(np.array(example.SCORES)).rounds
    assert [r.at_bound.tolist() for r in rounds] == [[0, 0, 1, 0], [1, 0, 1, 0], [1, -1, 1, 0], [1, -1, 1, 0]]
    assert rounds[1].factor == pytest.approx(
        (10_000_000 - 2_968_000) / (995_407.94 + 1_634_008.96 + 3_514_557.07)
    )


def test_who_pays_for_whose_floor():
    steps = example.FORMULA.steps(np.array(example.SCORES))
    paid = money.payments(steps.unclamped, steps.clamped)
    assert paid.sum(axis=0) == pytest.approx(np.maximum(steps.clamped - steps.unclamped, 0))
    assert paid.sum(axis=1) == pytest.approx(np.maximum(steps.unclamped - steps.clamped, 0))
    assert paid[2, 1] == pytest.approx(305_991.04, abs=0.005)


@st.composite
def cities(draw) -> tuple[Formula, np.ndarray]:
    """Two to eight institutions, one to five indicators, any scheme with goalposts; the budget is one the bounds allow."""
    u, k = draw(st.integers(2, 8)), draw(st.integers(1, 5))
    share = st.floats(0, 1, allow_nan=False)
    values = np.array(draw(st.lists(share, min_size=u * k, max_size=u * k))).reshape(u, k)
    weights = np.array(draw(st.lists(st.integers(1, 20), min_size=k, max_size=k)), dtype=float)
    down = np.array(draw(st.lists(st.booleans(), min_size=k, max_size=k)))
    last = np.array(draw(st.lists(st.integers(10_000, 50_000_000), min_size=u, max_size=u)), dtype=float)
    size = np.array(draw(st.lists(st.integers(1, 40_000), min_size=u, max_size=u)), dtype=float)
    floor, cap = (Decimal(draw(st.integers(1, 20))) / 100 for _ in range(2))
    lower, upper = money.bounds(last, floor, cap)
    budget = draw(st.integers(int(lower.sum()), int(upper.sum())))
    worst, best = np.where(down, 0.9, 0.1), np.where(down, 0.1, 0.9)
    indicators = Indicators(
        tuple(map(str, range(k))), weights / weights.sum(), worst, best, ("goalpost",) * k
    )
    return Formula(
        indicators, draw(st.sampled_from(["arithmetic", "geometric"])), size, last, budget,
        draw(st.floats(0, 1)), draw(st.floats(0.5, 1)), draw(st.floats(0, 4)), draw(st.floats(5, 30)), floor, cap,
        draw(st.sampled_from([0.0, 0.33, 0.66, 1.0])),
    ), values  # fmt: skip


@EXACT
@given(cities())
def test_every_yuan_is_given_and_every_bound_is_kept(city):
    formula, values = city
    steps = formula.steps(formula.scores(values))
    assert steps.final.sum() == formula.budget
    assert (steps.final >= steps.lower).all()
    assert (steps.final <= steps.upper).all()
    assert (steps.received * steps.paid == 0).all()
    assert np.abs(steps.final - (steps.clamped + steps.received - steps.paid)).max() < 1


@EXACT
@given(cities(), st.data())
def test_a_better_value_never_costs_its_owner_money(city, data):
    """But for the one yuan that rounding may move."""
    formula, values = city
    unit = data.draw(st.integers(0, len(values) - 1))
    indicator = data.draw(st.integers(0, values.shape[1] - 1))
    better = values.copy()
    better[unit, indicator] += formula.indicators.sign[indicator] * data.draw(st.floats(0, 1))
    before, after = (formula.grants(formula.scores(v))[unit] for v in (values, better))
    assert after >= before - 1e-3
    whole = [int(formula.steps(formula.scores(v)).final[unit]) for v in (values, better)]
    assert whole[1] >= whole[0] - 1


@EXACT
@given(cities(), st.randoms(use_true_random=False))
def test_the_order_of_institutions_changes_nobodys_grant(city, random):
    formula, values = city
    order = list(range(len(values)))
    random.shuffle(order)
    turned = replace(formula, size=formula.size[order], last=formula.last[order])
    straight = formula.grants(formula.scores(values))
    assert turned.grants(turned.scores(values[order])) == pytest.approx(straight[order], abs=1e-3)


@EXACT
@given(cities(), st.integers(-20, 20))
def test_the_unit_of_measure_changes_nobodys_grant(city, power):
    """A factor that binary numbers hold exactly gives the same yuan; goalposts are in the same unit."""
    formula, values = city
    factor, of = 2.0**power, formula.indicators
    scaled = replace(formula, indicators=replace(of, worst=of.worst * factor, best=of.best * factor))
    before = formula.steps(formula.scores(values)).final
    assert (scaled.steps(scaled.scores(values * factor)).final == before).all()


@EXACT
@given(cities())
def test_many_draws_at_once_get_what_one_by_one_would(city):
    formula, values = city
    score = np.stack([formula.scores(values), formula.scores(values[::-1])])
    for one, many in zip(score, formula.grants(score), strict=True):
        steps = formula.steps(one)
        assert steps.clamped + steps.received - steps.paid == pytest.approx(many, abs=0.01)


def test_shares_that_lie_twenty_powers_of_ten_apart_are_clamped_all_the_same():
    amounts = np.array([1e-11, 16_534_247.0])
    lower, upper = money.bounds([10_000, 16_360_700], Decimal("0.01"), Decimal("0.01"))
    one, _ = money.clamp(amounts, lower, upper)
    assert one == pytest.approx([9_940, 16_524_307], abs=0.01)
    assert money.clamped(amounts[None], lower, upper)[0] == pytest.approx(one, abs=0.01)


@EXACT
@given(cities())
def test_iterative_clamping_solves_the_equation(city):
    """The clamped grants are min(max(t x, lower), upper) of one t, found here by another method."""
    formula, values = city
    steps = formula.steps(formula.scores(values))

    def missing(t: float) -> float:
        return float(np.clip(t * steps.unclamped, steps.lower, steps.upper).sum() - formula.budget)

    top = 1e9
    if missing(0) >= 0 or missing(top) <= 0:
        return
    t = optimize.brentq(missing, 0, top, xtol=1e-15, rtol=1e-15, maxiter=500)
    solved = np.clip(t * steps.unclamped, steps.lower, steps.upper)
    assert steps.clamped == pytest.approx(solved, abs=0.05 + 1e-6 * formula.budget)


def test_with_the_units_standard_deviation_a_better_score_could_cost_money():
    """Why `spread` is a number of the scheme: four units, the lowest improves, and its share falls."""
    size = np.ones(4)
    before, after = np.array([-1.0, 0.5, 0.25, 0.25]), np.array([-0.9, 0.5, 0.25, 0.25])
    assert money.shares(size, before, 1, 3, before.std())[0] > money.shares(size, after, 1, 3, after.std())[0]
    assert money.shares(size, before, 1, 3, 0.5)[0] < money.shares(size, after, 1, 3, 0.5)[0]


@pytest.mark.parametrize(("budget", "said"), [(9_000_000, "下限"), (11_000_000, "上限")])
def test_a_budget_that_the_bounds_do_not_allow_is_refused_with_the_difference(budget, said):
    with pytest.raises(money.MoneyError, match=said):
        replace(example.FORMULA, budget=budget).steps(np.array(example.SCORES))
    with pytest.raises(money.MoneyError, match=said):
        replace(example.FORMULA, budget=budget).grants(np.array(example.SCORES))


def test_a_unit_without_a_last_grant_has_no_bounds_and_neither_pays_nor_receives():
    formula = replace(example.FORMULA, last=np.array([np.nan, 2_000_000, 2_800_000, 4_100_000]))
    steps = formula.steps(np.array(example.SCORES))
    assert (steps.lower[0], steps.upper[0]) == (0, np.inf)
    assert steps.received[0] == steps.paid[0] == 0
    assert steps.final.sum() == formula.budget


def test_whole_yuan_that_do_not_add_up_stop_the_run():
    with pytest.raises(money.MoneyError, match="lost money"):
        money.whole_yuan([1.5, 2.5], 9)
    assert money.whole_yuan([1.5, 1.5, 1.0], 4).tolist() == [2, 1, 1]
