"""How often the warning rules cry wolf: simulated degree points whose true pass rates are known.

`python -m yuyan.estimate.calibration` prints the table of docs/statistics.md. Seeds are fixed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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


def table(outcomes: dict[str, Outcome]) -> str:
    """The outcomes as a Markdown table: means over the cities, and the share of cities with more than 5 % false alarms."""
    lines = ["| rule | false alarms | cities above 5 % | detection |", "|---|---|---|---|"]
    lines += [
        f"| {rule} | {o.false_alarms.mean():.1%} | {np.mean(o.false_alarms > 0.05):.0%} | {o.detection.mean():.0%} |"
        for rule, o in outcomes.items()
    ]
    return "\n".join(lines)


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


if __name__ == "__main__":
    print(table(calibrate(simulations=200)))
