"""Bounds that follow from all sums are those of a plain propagation, sum by sum, until nothing moves."""

import numpy as np
import pytest

from yuyan.disclosure import attack
from yuyan.disclosure.protect import System


def drawn(seed: int) -> System:
    """Thirty figures and forty sums of some of them, half of it hidden; the last ten sums are of money, some below 0."""
    random = np.random.default_rng(seed)
    value = np.concatenate([random.integers(0, 9, 20), random.integers(-50, 200, 10)]).astype(float)
    is_money = np.arange(30) >= 20
    total, members, rest = [], [], []
    for number in range(40):
        group = np.flatnonzero(is_money == (number >= 30))
        chosen = random.choice(group, random.integers(2, 5), replace=False)
        known = float(random.integers(0, 4))
        total.append(len(value))
        members.append(chosen)
        rest.append(known)
        value = np.append(value, value[chosen].sum() + known)
        is_money = np.append(is_money, number >= 30)
    no = np.zeros(len(value), dtype=bool)
    return System(
        value=value, least=np.zeros(len(value)), need=np.full(len(value), 5.0), is_money=is_money, is_open=no,
        is_hidden=random.random(len(value)) < 0.5, total=np.array(total),
        start=np.concatenate([[0], np.cumsum([len(m) for m in members])]), member=np.concatenate(members),
        rest=np.array(rest),
    )  # fmt: skip


def propagated(system: System, sums: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The same bounds, one sum after the other."""
    low = np.where(system.is_hidden, system.least, system.value)
    high = np.where(system.is_hidden, np.inf, system.value)
    moved = True
    while moved:
        before = low.copy(), high.copy()
        for number in sums:
            total, rest = system.total[number], system.rest[number]
            members = system.member[system.start[number] : system.start[number + 1]]
            low[total] = max(low[total], low[members].sum() + rest)
            high[total] = min(high[total], high[members].sum() + rest)
            for one in members:
                others = members[members != one]
                low[one] = max(low[one], low[total] - rest - high[others].sum())
                high[one] = min(high[one], high[total] - rest - low[others].sum())
        moved = (low != before[0]).any() or (high != before[1]).any()
    return low, high


@pytest.mark.parametrize("seed", range(20))
def test_bounds_are_those_of_every_sum_looked_at_again_and_again(seed):
    system = drawn(seed)
    persons = ~system.is_money
    expected = propagated(system, list(range(30)))
    found = attack.bounds(system, asked=persons)
    np.testing.assert_array_equal(np.array(found)[:, persons], np.array(expected)[:, persons])
    hidden = system.is_hidden & persons
    assert (found[0][hidden] > system.least[hidden]).any()
    assert np.isfinite(found[1][hidden]).any()


@pytest.mark.parametrize("seed", range(3))
def test_money_that_nobody_asks_about_has_the_bounds_that_were_known(seed):
    system = drawn(seed)
    money = system.is_hidden & system.is_money
    low, high = attack.bounds(system, asked=~system.is_money)
    assert money.sum() > 3
    assert (low[money] == system.least[money]).all()
    assert np.isinf(high[money]).all()
    assert np.isfinite(attack.bounds(system)[1][money]).any()  # asked about, its sums are looked at
