"""How often the warning rule cries wolf, beside rules that might be thought of: simulated degree points."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calibration.tables import Table
from yuyan.estimate import rates

POINTS = 400
TRUE_RATES = rates.Prior(49, 1)
"""True pass rates of degree points: mean 98 %, one in twelve below 95 %."""
MEDIAN_CASES = 20
RULES = {
    "raw rate < 98 %": 0.98,
    "raw rate < 98 %, sound = at least 95 %": 0.95,
    "Jeffreys P(rate < 98 %) >= 0.90": 0.98,
    "warning rule, prior known: AMBER or RED": 0.95,
    "warning rule, prior known: RED": 0.95,
    "warning rule, prior fitted: AMBER or RED": 0.95,
    "warning rule, prior fitted: RED": 0.95,
}
"""Rule -> floor that separates sound from weak points."""


@dataclass(frozen=True)
class Outcome:
    """Shares of sound points that a rule alarms for, and of weak points; shape (simulations,)."""

    false_alarms: NDArray[np.float64]
    detection: NDArray[np.float64]


def calibrate(simulations: int, seed: int = 2026, points: int = POINTS) -> dict[str, Outcome]:
    """Simulate cities of `points` degree points and judge each rule; a point with too few cases raises no alarm."""
    shares = np.array([_simulate(np.random.default_rng([seed, i]), points) for i in range(simulations)])
    return {rule: Outcome(shares[:, i, 0], shares[:, i, 1]) for i, rule in enumerate(RULES)}


def table(seed: int, simulations: int) -> Table:
    """The outcomes: means over the cities, and the share of cities with more than 5 % false alarms."""
    found = Table(
        "Degree points: the warning rule beside others",
        ["rule", "false alarms", "cities above 5 %", "detection"],
        note=f"{POINTS} degree points a city, true pass rates Beta(49, 1), pooled theses log-normal with median "
        f"{MEDIAN_CASES}: about a sixth have fewer than 10 and cannot be judged. Sound points are at or above the rule's "
        "floor, weak ones below.",
    )
    for rule, o in calibrate(simulations, seed).items():
        shares = (o.false_alarms.mean(), np.mean(o.false_alarms > 0.05), o.detection.mean())
        found.rows.append([rule, *map(float, shares)])
    return found


def _simulate(rng: np.random.Generator, points: int) -> list[tuple[float, float]]:
    true = rng.beta(TRUE_RATES.alpha, TRUE_RATES.beta, points)
    n = np.maximum(np.rint(rng.lognormal(np.log(MEDIAN_CASES), 0.8, points)), 1).astype(int)
    x = rng.binomial(n, true)
    fitted = rates.fit_prior(x, n)
    known = rates.warning(x, n, TRUE_RATES.alpha, TRUE_RATES.beta).status
    judged = rates.warning(x, n, fitted.alpha, fitted.beta).status
    raw = x / n < 0.98
    alarms = [raw, raw, rates.probability_below(x, n, 0.5, 0.5, 0.98) >= 0.90]
    for status in (known, judged):
        alarms += [np.isin(status, ["AMBER", "RED"]), status == "RED"]
    floors = np.array(list(RULES.values()))
    return [
        (a[true >= floor].mean(), a[true < floor].mean()) for a, floor in zip(alarms, floors, strict=True)
    ]
