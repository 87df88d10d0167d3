"""False alarms and detection of the rules that judge institutions and degree points: RATE, BENCHMARK, LEVEL, the funnel."""

import numpy as np
from scipy import stats

from calibration.tables import Table, rarely
from yuyan.estimate import rates

POOLED = (10, 12, 24, 40, 70, 180, 400, 800)
"""Theses of three years: degree points and institutions at 1/15 (10 to 40), institutions of the whole city (to 800)."""
FLOOR, MARGIN = 0.95, 0.03


def pooled(seed: int, simulations: int) -> Table:
    """RATE: the unit's true rate is known; the prior is fitted on a city of 33 sound institutions each time."""
    table = Table(
        "Rule RATE (W02): P(rate < 95 %) after pooling and shrinking, AMBER from 0.30, RED from 0.95",
        ["pooled theses", "RED at the floor (95 %)", "RED at 85 %", "AMBER or RED at 98 %", "AMBER or RED at 90 %",
         "AMBER or RED at 85 %", "failures for AMBER", "failures for RED"],
        {"RED at the floor (95 %)": rarely},
        note="The prior is worth 20 to 50 theses, as fitted on the institutions. A prior worth 472 theses, as fitted "
        "without that limit, would ask for 16 failures of 70 before AMBER.",
    )  # fmt: skip
    rng = np.random.default_rng([seed, 4])
    for n in POOLED:
        failed = np.arange(n + 1)
        alarms = {}
        for colour in ("AMBER", "RED"):
            alarms[colour] = np.zeros(n + 1)
        for _ in range(max(simulations // 20, 10)):
            others = np.maximum(rng.lognormal(np.log(40), 1.0, 33).astype(int), 1)
            prior = rates.fit_prior(rng.binomial(others, rng.beta(98, 2, 33)), others)
            status = rates.warning(n - failed, np.full(n + 1, n), prior.alpha, prior.beta, red=0.95).status
            alarms["RED"] += status == "RED"
            alarms["AMBER"] += np.isin(status, ["AMBER", "RED"])
        shares = {c: a / max(simulations // 20, 10) for c, a in alarms.items()}

        def chance(rate: float, colour: str, n=n, failed=failed, shares=shares) -> float:
            return float(stats.binom.pmf(failed, n, 1 - rate) @ shares[colour])

        first = [int(np.argmax(shares[c] >= 0.5)) for c in ("AMBER", "RED")]
        table.rows.append(
            [n, chance(0.95, "RED"), chance(0.85, "RED"), chance(0.98, "AMBER"), chance(0.90, "AMBER"),
             chance(0.85, "AMBER"), *first]
        )  # fmt: skip
    return table


def benchmark(seed: int, simulations: int) -> Table:
    """BENCHMARK: an institution exactly at its benchmark less the margin, and one ten points below the benchmark."""
    table = Table(
        "Rule BENCHMARK (H13a): P(rate < benchmark − 3 points), AMBER from 0.30, RED from 0.95",
        ["graduates employed", "benchmark", "RED at benchmark − 3", "AMBER or RED at benchmark", "RED at benchmark − 10"],
        {"RED at benchmark − 3": rarely},
        note="The prior stands at the benchmark and is worth at most 50 graduates.",
    )  # fmt: skip
    for n in (20, 70, 300, 1500):
        for centre in (0.4, 0.6):
            x = np.arange(n + 1)
            status = rates.warning(
                x, np.full(n + 1, n), centre * 50, (1 - centre) * 50, floor=centre - MARGIN, red=0.95
            ).status

            def chance(rate: float, colours: tuple[str, ...], n=n, x=x, status=status) -> float:
                return float(stats.binom.pmf(x, n, rate)[np.isin(status, colours)].sum())

            table.rows.append(
                [
                    n,
                    centre,
                    chance(centre - MARGIN, ("RED",)),
                    chance(centre, ("AMBER", "RED")),
                    chance(centre - 0.1, ("RED",)),
                ]
            )
    return table


def levels() -> Table:
    """LEVEL: a unit exactly on its path; RED by the path alone, and where the interval must exclude the path."""
    table = Table(
        "Rule LEVEL (H02, H08, H12, H13a, H14): RED only where the interval excludes the path",
        ["cases", "path", "RED on the path", "RED by the path alone", "RED at half of the path"],
        {"RED on the path": rarely},
        note="Baseline one point below the path, so that falling back by 0.4 points is RED by the path alone.",
    )
    for n in (12, 70, 300, 2000, 9000):
        for path in (0.15, 0.30):
            x = np.arange(n + 1)
            behind = x / n < path - 0.004
            _, upper = rates.interval(x, n)
            red = behind & (upper < path)
            chance = [
                float(stats.binom.pmf(x, n, rate)[which].sum())
                for rate, which in ((path, red), (path, behind), (path / 2, red))
            ]
            table.rows.append([n, path, *chance])
    return table
