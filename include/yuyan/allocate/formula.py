"""A scheme applied: values to scores to grants, for one set of values or for many at once (what-ifs, draws)."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from yuyan.allocate import money, scores
from yuyan.allocate.scores import Indicators

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Formula:
    """Everything of a scheme that does not depend on indicator values; arrays (units,)."""

    indicators: Indicators
    aggregation: str
    size: Floats
    """Size weighted by cost: what the base part follows."""
    last: Floats
    """Last grants in yuan, NaN where there was none."""
    budget: int
    base_share: float
    alpha: float
    beta: float
    spread: float
    floor: Decimal
    cap: Decimal
    protection: float
    """Share of a loss that hold-harmless makes up for this year."""

    def scores(self, values: ArrayLike) -> Floats:
        """Composite scores (..., units) of values (..., units, k); the weight of a missing one goes to the unit's others."""
        there = ~np.isnan(np.asarray(values, dtype=float))
        found = scores.normalised(scores.filled(values), self.indicators)
        return scores.aggregated(found, self.indicators.weights, self.aggregation, there)

    def parts(self, score: ArrayLike) -> tuple[Floats, Floats]:
        """Base part (units,) and performance part (..., units) in yuan."""
        base = self.budget * self.base_share * self.size / self.size.sum()
        share = money.shares(self.size, score, self.alpha, self.beta, self.spread)
        return base, self.budget * (1 - self.base_share) * share

    def steps(self, score: ArrayLike) -> money.Steps:
        """Every step from scores (units,) to whole yuan. Raises money.MoneyError."""
        base, performance = self.parts(score)
        return money.steps(base, performance, self.last, self.budget, self.floor, self.cap, self.protection)

    def grants(self, score: ArrayLike) -> Floats:
        """Grants (..., units) in yuan before rounding, of scores (..., units)."""
        base, performance = self.parts(score)
        lower, upper = money.bounds(self.last, self.floor, self.cap)
        bounded = money.clamped(base + performance, lower, upper)
        compared = money.reference(self.last, bounded, float(self.budget), lower)
        received, paid = money.hold_harmless(bounded, compared, self.protection)
        return bounded + received - paid

    def what_if(self, values: ArrayLike, unit: ArrayLike, indicator: ArrayLike, changed: ArrayLike) -> Floats:
        """The grants of all units when one value is another one: (cases, units) for cases (unit, indicator, value)."""
        unit, indicator, changed = np.asarray(unit), np.asarray(indicator), np.asarray(changed, dtype=float)
        many = np.repeat(np.asarray(values, dtype=float)[None], len(unit), axis=0)
        many[np.arange(len(unit)), unit, indicator] = changed
        return self.grants(self.scores(many))
