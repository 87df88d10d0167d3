"""Scores to money, in yuan: shares, floors and caps, hold-harmless, whole yuan; who pays for whose floor.

Arrays are (units,) unless draws come before: `(..., units)`. Units stand in the order of their codes, so that the same
figures in another order give the same grants.
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

CENT = 1e-6
"""Amounts nearer than this many yuan are equal: what sums of floating-point numbers may differ by."""

TINY = 1e-200
"""Stands for an amount of 0 where one divides by it."""


class MoneyError(ValueError):
    """A budget that the floors, caps and last grants do not allow; the message says by how much and what to change."""


@dataclass(frozen=True)
class Round:
    """One round of clamping."""

    factor: float
    """What the grants that are not held yet are multiplied by."""
    amounts: Floats
    at_bound: NDArray[np.int8]
    """-1 held at the floor, 1 at the cap, 0 free, after this round."""


@dataclass(frozen=True)
class Steps:
    """How a grant came about; arrays (units,), yuan."""

    base: Floats
    performance: Floats
    unclamped: Floats
    lower: Floats
    upper: Floats
    clamped: Floats
    reference: Floats
    """The last grant, scaled down where the whole budget is smaller: what hold-harmless compares with."""
    received: Floats
    """Hold-harmless money received."""
    paid: Floats
    """Hold-harmless money paid by those above their reference."""
    final: NDArray[np.int64]
    rounds: tuple[Round, ...]


def shares(size: ArrayLike, score: ArrayLike, alpha: float, beta: float, spread: float) -> Floats:
    """Performance shares size^alpha exp(beta z) / sum, with z = (score - mean) / spread; (..., units), they add up to 1.

    `spread` (points of score that make one z) is a number of the scheme and not the units' standard deviation: with
    that, a better score could cost its owner money (docs/allocation.md has four units for whom it does).
    """
    size, score = np.asarray(size, dtype=float), np.asarray(score, dtype=float)
    z = (score - score.mean(axis=-1, keepdims=True)) / spread
    weight = size**alpha * np.exp(beta * z)
    return weight / weight.sum(axis=-1, keepdims=True)


def bounds(last: ArrayLike, floor: Decimal, cap: Decimal) -> tuple[Floats, Floats]:
    """Least and greatest grant in whole yuan: last x (1 - floor) rounded up, last x (1 + cap) rounded down.

    `last` in whole yuan, NaN for a unit without a last grant, which has no bounds.
    """
    last = np.asarray(last, dtype=float)
    lower, upper = np.zeros(len(last)), np.full(len(last), np.inf)
    for i in np.flatnonzero(~np.isnan(last)):
        exact = Decimal(int(last[i]))
        lower[i] = int((exact * (1 - floor)).to_integral_value(ROUND_CEILING))
        upper[i] = int((exact * (1 + cap)).to_integral_value(ROUND_FLOOR))
    return lower, upper


def clamp(amounts: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> tuple[Floats, tuple[Round, ...]]:
    """Hold every amount between its bounds and leave the sum as it is: min(max(t x amount, lower), upper) for one t.

    Iterative clamping: the free amounts are scaled to what is left; of those that then break a bound, the side with the
    greater sum of breaches is held; again, until none breaks one. Each round holds at least one unit for good, so there
    are at most as many rounds as units. Raises MoneyError when the bounds do not allow the sum.
    """
    amounts, lower, upper = (np.asarray(v, dtype=float) for v in (amounts, lower, upper))
    total = amounts.sum()
    _feasible(total, lower, upper)
    at_bound = np.zeros(len(amounts), dtype=np.int8)
    found, rounds = amounts.copy(), []
    while True:
        free = at_bound == 0
        left = total - found[~free].sum()
        weight = amounts[free].sum()
        factor = left / weight if weight > 0 else 0.0
        found[free] = amounts[free] * factor if weight > 0 else left / max(free.sum(), 1)
        under, over = np.maximum(lower - found, 0) * free, np.maximum(found - upper, 0) * free
        if max(under.max(initial=0), over.max(initial=0)) <= CENT:
            rounds.append(Round(factor, np.clip(found, lower, upper), at_bound.copy()))
            return np.clip(found, lower, upper), tuple(rounds)
        if under.sum() >= over.sum():
            at_bound[under > CENT] = -1
        if over.sum() >= under.sum():
            at_bound[over > CENT] = 1
        found = np.where(at_bound == -1, lower, np.where(at_bound == 1, upper, found))
        rounds.append(Round(factor, found.copy(), at_bound.copy()))


def clamped(amounts: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> Floats:
    """What `clamp` returns, for many draws at once: amounts (..., units), bounds (units,).

    The sum of min(max(t x amount, lower), upper) rises with t, so log t is found by bisection: shares may lie twenty powers
    of ten apart, and t with them.
    """
    amounts, lower, upper = (np.asarray(v, dtype=float) for v in (amounts, lower, upper))
    total = amounts.sum(axis=-1, keepdims=True)
    _feasible(float(total.min()), lower, np.full_like(upper, np.inf))
    _feasible(float(total.max()), np.zeros_like(lower), upper)
    weight = np.maximum(amounts, TINY)
    low = np.log(
        (np.maximum(lower, CENT) / weight).min(axis=-1, keepdims=True)
    )  # everybody at the lower bound
    high = np.log((np.minimum(upper, total) / weight).max(axis=-1, keepdims=True))  # enough for the whole sum
    for _ in range(70):
        middle = (low + high) / 2
        short = np.clip(np.exp(middle) * amounts, lower, upper).sum(axis=-1, keepdims=True) < total
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.clip(np.exp(high) * amounts, lower, upper)


def reference(last: ArrayLike, clamped_amounts: ArrayLike, total: float, lower: ArrayLike) -> Floats:
    """What hold-harmless compares with: the last grant, scaled down where the budget is below the sum of last grants.

    Never below the floor, so that nobody pays below it. A unit without a last grant is compared with its own clamped grant:
    it neither pays nor receives.
    """
    last, clamped_amounts = np.asarray(last, dtype=float), np.asarray(clamped_amounts, dtype=float)
    known = ~np.isnan(last)
    old = np.where(known, last, 0)
    available = total - np.where(known, 0, clamped_amounts).sum(axis=-1, keepdims=True)
    factor = np.minimum(1.0, available / old.sum()) if old.sum() > 0 else np.ones_like(available)
    return np.where(known, np.maximum(old * factor, lower), clamped_amounts)


def hold_harmless(amounts: ArrayLike, compared: ArrayLike, share: float) -> tuple[Floats, Floats]:
    """Received and paid, (..., units): `share` of every loss is made up for by those who gain, in proportion to gains."""
    amounts, compared = np.asarray(amounts, dtype=float), np.asarray(compared, dtype=float)
    loss, gain = np.maximum(compared - amounts, 0), np.maximum(amounts - compared, 0)
    gained = gain.sum(axis=-1, keepdims=True)
    received = share * loss
    needed = received.sum(axis=-1, keepdims=True)
    enough = np.minimum(
        1.0, gained / np.where(needed > 0, needed, 1)
    )  # below 1 where references were raised to floors
    received = received * enough
    part = np.where(gained > 0, gain / np.where(gained > 0, gained, 1), 0)
    return received, part * received.sum(axis=-1, keepdims=True)


def whole_yuan(amounts: ArrayLike, total: int) -> NDArray[np.int64]:
    """Integers that add up to `total`: rounded down, the yuan left over to the largest remainders (first unit on ties).

    Hamilton's method; each amount moves by less than one yuan. Raises MoneyError when the amounts do not add up to total.
    """
    amounts = np.round(np.asarray(amounts, dtype=float), 6)
    down = np.floor(amounts).astype(np.int64)
    left = total - int(down.sum())
    if not 0 <= left <= len(amounts):
        raise MoneyError(
            f"amounts add up to {amounts.sum():.6f} and not to {total}: a step before lost money"
        )
    first = np.argsort(-(amounts - down), kind="stable")[:left]
    down[first] += 1
    return down


def steps(
    base: ArrayLike,
    performance: ArrayLike,
    last: ArrayLike,
    budget: int,
    floor: Decimal,
    cap: Decimal,
    protection: float,
) -> Steps:
    """All steps from the two parts to whole yuan; arrays (units,), base and performance add up to the budget.

    Raises MoneyError when floors or caps do not allow the budget.
    """
    base, performance = np.asarray(base, dtype=float), np.asarray(performance, dtype=float)
    lower, upper = bounds(last, floor, cap)
    bounded, rounds = clamp(base + performance, lower, upper)
    compared = reference(last, bounded, float(budget), lower)
    received, paid = hold_harmless(bounded, compared, protection)
    final = whole_yuan(bounded + received - paid, budget)
    return Steps(
        base, performance, base + performance, lower, upper, bounded, compared, received, paid, final, rounds
    )


def payments(before: ArrayLike, after: ArrayLike) -> Floats:
    """Who pays whom when a step moves money: (payer, receiver), yuan; each payer pays all receivers in proportion."""
    moved = np.asarray(after, dtype=float) - np.asarray(before, dtype=float)
    rise, fall = np.maximum(moved, 0), np.maximum(-moved, 0)
    return np.outer(fall, rise) / rise.sum() if rise.sum() > CENT else np.zeros((len(moved), len(moved)))


def _feasible(total: float, lower: Floats, upper: Floats) -> None:
    if total < lower.sum() - CENT:
        raise MoneyError(
            f"预算 {total:,.0f} 元不足以支付各单位的下限，合计 {lower.sum():,.0f} 元，差 {lower.sum() - total:,.0f} 元："
            "增加预算，或在方案中放宽 bounds.floor / the budget is below the sum of the floors"
        )
    if total > upper.sum() + CENT:
        raise MoneyError(
            f"预算 {total:,.0f} 元超过各单位上限之和 {upper.sum():,.0f} 元，有 {total - upper.sum():,.0f} 元分不出去："
            "减少预算，或在方案中放宽 bounds.cap / the budget is above the sum of the caps"
        )
