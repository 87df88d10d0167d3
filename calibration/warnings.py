"""False and true alarms of the warnings of degree points (W02, W03, W05) with the thresholds of the seed."""

import numpy as np
import polars as pl
from scipy import stats

from calibration.points import MEDIAN_CASES, POINTS, TRUE_RATES
from calibration.tables import Table, hardly, rarely
from yuyan.early_warning import index, parameters
from yuyan.estimate import rates, standardise

ALARM = ["AMBER", "RED"]
MEANS = {
    "H09d": 0.98, "EXPERT": 0.65, "BLIND": 0.93, "DELAY": 0.95, "LOAD": 0.80, "M06.1": 0.60, "H06": 0.90, "H12": 0.20,
    "H13a": 0.50, "INTAKE": 0.95,
}  # fmt: skip
"""Mean rates of the signals, about those of the simulated city."""
PILLARS = [of for of in index.PILLARS.values() if set(of) <= set(MEANS)]
TRUE_STRENGTH = 30
"""How far true rates of points lie apart: a beta distribution worth so many cases."""
WEAK = 40
"""Points of a city of 400 that are made weak."""
SOUND_LIMIT, WEAK_LIMIT = 0.5, 1.25
"""A point is sound where no pillar lies more than half a standard deviation behind its peers, weak where one lies 1.25."""


def _newest() -> parameters.Parameters:
    return parameters.load_file()[-1]


def statistical(seed: int, simulations: int) -> Table:
    """W02: sound is a true pass rate at or above the floor."""
    given = _newest()
    table = Table(
        f"W02: degree points with a rate below {given('W02', 'floor'):.0%}, thresholds {given.version}",
        [
            "theses, median",
            "AMBER or RED, sound",
            "RED, sound",
            "AMBER or RED, weak",
            "RED, weak",
            "AMBER or RED, rate 85 %",
        ],
        {"AMBER or RED, sound": rarely, "RED, sound": hardly},
        note="Cities of 400 points, true rates Beta(49, 1), prior fitted on the city. Sound is at or above the floor, weak "
        "below it; the last column is of points made that weak.",
    )
    for median in (MEDIAN_CASES, 40, 120):
        seen = []
        for i in range(simulations):
            rng = np.random.default_rng([seed, 11, median, i])
            true = rng.beta(TRUE_RATES.alpha, TRUE_RATES.beta, POINTS)
            true[:8] = 0.85
            n = np.maximum(np.rint(rng.lognormal(np.log(median), 0.8, POINTS)), 1).astype(int)
            x = rng.binomial(n, true)
            prior = rates.fit_prior(x, n)
            status = rates.warning(
                x, n, prior.alpha, prior.beta, floor=given("W02", "floor"), amber=given("W02", "amber"),
                red=given("W02", "red"), minimum=given("W02", "minimum"),
            ).status  # fmt: skip
            seen.append((true, status, np.arange(POINTS) < 8))
        true, status, made = (np.concatenate([s[k] for s in seen]) for k in range(3))
        judged = status != "GREY"
        alarm, red = np.isin(status, ALARM), status == "RED"
        sound, weak = (
            (true >= given("W02", "floor")) & judged & ~made,
            (true < given("W02", "floor")) & judged & ~made,
        )
        shares = (alarm[sound], red[sound], alarm[weak], red[weak], alarm[made & judged])
        table.rows.append([median, *(float(s.mean()) for s in shares)])
    return table


def risk(seed: int, simulations: int) -> Table:
    """W03: cities in which no point is weak, and in which a tenth is weak in one pillar."""
    given = _newest()
    amber, red = given("W03", "amber"), given("W03", "red")
    table = Table(
        f"W03: risk index, AMBER from {amber}, RED from {red}, thresholds {given.version}",
        [
            "cases of a signal, median",
            "weak",
            "AMBER or RED, sound",
            "RED, sound",
            "AMBER or RED, weak",
            "RED, weak",
        ],
        {"AMBER or RED, sound": rarely, "RED, sound": hardly},
        note="Cities of 400 points, ten signals, true rates spread like a prior worth 30 cases. Sound: no pillar more than "
        "half a standard deviation behind its peers. Weak: one pillar 1.25 or more behind.",
    )
    for median in (15, 40, 120):
        for weak in ("", "QUALITY", "PROCESS"):
            values, truths = [], []
            for i in range(simulations):
                rng = np.random.default_rng([seed, 12, median, len(weak), i])
                value, truth = _city(rng, median, weak, given)
                values.append(value)
                truths.append(truth)
            value, truth = np.concatenate(values), np.concatenate(truths)
            sound, bad = truth <= SOUND_LIMIT, truth >= WEAK_LIMIT
            shares = [(value >= limit)[which] for which in (sound, bad) for limit in (amber, red)]
            table.rows.append([median, weak or "none made", *(float(s.mean()) for s in shares)])
    return table


def _city(
    rng: np.random.Generator, median: int, weak: str, given: parameters.Parameters
) -> tuple[np.ndarray, np.ndarray]:
    """Index of every judged point, and how far its worst pillar truly lies behind, in standard deviations."""
    signals = list(MEANS)
    behind = rng.normal(0, 1, (POINTS, len(signals)))
    points = [f"p{i:03}" for i in range(POINTS)]
    frames = []
    for j, signal in enumerate(signals):
        if weak and signal in index.PILLARS[weak]:
            behind[:WEAK, j] = rng.normal(2, 0.5, WEAK)
        mean = MEANS[signal]
        spread = np.sqrt(mean * (1 - mean) / (TRUE_STRENGTH + 1))
        n = np.maximum(np.rint(rng.lognormal(np.log(median), 0.8, POINTS)), 1).astype(int)
        x = rng.binomial(n, np.clip(mean - behind[:, j] * spread, 0.001, 0.999))
        frames.append(
            pl.DataFrame(
                {"signal_code": signal, "target_code": points, "x": x.astype(float), "n": n.astype(float)}
            )
        )
    groups = pl.DataFrame({"target_code": points, "group": "all"})
    rows = index.standardised(pl.concat(frames), groups, given("W03", "minimum_cases"))
    found = index.values(rows, points)
    is_judged = found.signals >= given("W03", "minimum_signals")
    true = np.stack([behind[:, [signals.index(s) for s in of]].mean(1) for of in PILLARS], 1).max(1)
    return found.value[is_judged], true[is_judged]


def gaps(seed: int, simulations: int) -> Table:
    """W05: one point among thirty of its like, exactly as good as they are, at the margin, and 15 points behind."""
    given = _newest()
    margin = given("W05", "margin")
    table = Table(
        f"W05: gap to the benchmark, more than {margin * 100:g} points with {given('W05', 'probability'):.0%}",
        [
            "cases",
            "rate of its like",
            "AMBER, at the benchmark",
            "AMBER, at the margin",
            "AMBER, 15 points behind",
        ],
        {"AMBER, at the benchmark": rarely},
        note="The thirty others have 40 cases each.",
    )
    for n in (int(given("W05", "minimum")), 60, 200):
        for rate in (0.3, 0.5, 0.9):
            shares = []
            for k, truth in enumerate((rate, rate - margin, rate - 0.15)):
                rng = np.random.default_rng([seed, 13, n, int(rate * 100), k])
                own = rng.binomial(n, truth, simulations)
                others = rng.binomial(40, rate, (simulations, 30))
                hits = [_is_behind(x, n, rest, given) for x, rest in zip(own, others, strict=True)]
                shares.append(float(np.mean(hits)))
            table.rows.append([n, rate, *shares])
    return table


def _is_behind(x: int, n: int, others: np.ndarray, given: parameters.Parameters) -> bool:
    unit = np.array(["p", *(f"o{i}" for i in range(len(others)))])
    sizes = np.array([n, *[40] * len(others)])
    found = standardise.benchmark(unit, np.full(len(unit), "s"), np.array([x, *others]), sizes)
    at = list(found.units).index("p")
    if not found.error[at] > 0:
        return False
    below = stats.norm.cdf((-given("W05", "margin") - found.gap[at]) / found.error[at])
    return bool(below >= given("W05", "probability"))
