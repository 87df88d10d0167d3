"""Coverage of the published intervals: counted rates, thesis sampling, course and employer answers, projections, H16."""

import numpy as np
from scipy import stats

from calibration.tables import Table, covered, rarely
from yuyan.estimate import composite, paths, rates, standardise, stratified, surveys, trend

SIZES = (1, 3, 10, 12, 24, 70, 180, 600, 2000, 9000)
"""Denominators of published ratios: a degree point's graduates to the city's students."""
DESIGNS = ((11, 1), (25, 1), (70, 1), (131, 33), (400, 33), (1965, 33))
"""Sampled theses and institutions: of an institution, of the city at 1/15 (131) and as a whole (1,965)."""
KINDS = (("1", 0.12, 10), ("21", 0.45, 20), ("22", 0.43, 20))
"""Level and type, share of the theses, design weight: 10 % of doctors, 5 % of masters."""


def counted() -> Table:
    """Rates of counts: exact, over every true rate from 0.1 to 99.9 %."""
    table = Table(
        "Rates of counts (estimator JEFFREYS; also of pooled counts)",
        ["cases", "coverage, mean over rates", "coverage, worst rate", "Jeffreys alone, worst rate"],
        {"coverage, worst rate": covered},
        note="Sums over all counts, for 999 true rates. Jeffreys' interval alone would fall below the budget wherever few "
        "cases are on one side; there the exact interval stands.",
    )
    truths = np.linspace(0.001, 0.999, 999)
    for n in SIZES:
        x = np.arange(n + 1)
        chance = stats.binom.pmf(x, n, truths[:, None])
        lower, upper = rates.interval(x, n)
        ours = (chance * ((lower <= truths[:, None]) & (truths[:, None] <= upper))).sum(axis=1)
        low, high = stats.beta.ppf([[0.025], [0.975]], x + 0.5, n - x + 0.5)
        low, high = np.where(x == 0, 0, low), np.where(x == n, 1, high)
        theirs = (chance * ((low <= truths[:, None]) & (truths[:, None] <= high))).sum(axis=1)
        table.rows.append([n, float(ours.mean()), float(ours.min()), float(theirs.min())])
    return table


def frame(theses: int, institutions: int, seed: int = 1) -> tuple[list[str], list[str], np.ndarray]:
    """Stratum, kind and design weight of each sampled thesis of a city (institution sizes log-normal)."""
    rng = np.random.default_rng([seed, theses])
    size = rng.lognormal(0, 1.1, institutions)
    size /= size.sum()
    drawn = [
        (f"{i}|{kind}", kind, weight)
        for i, part in enumerate(size)
        for kind, share, weight in KINDS
        for _ in range(int(part * share * theses + rng.random()))
    ]
    stratum, kind, weight = zip(*drawn, strict=True)
    return list(stratum), list(kind), np.array(weight, dtype=float)


def sampled(seed: int, simulations: int) -> Table:
    """Thesis sampling from finite frames whose pass rate is known; FLOOR at 98 %."""
    table = Table(
        "Thesis sampling (STRATIFIED, H09) and the rule FLOOR: P(rate < 98 %), RED from 0.95, AMBER from 0.60",
        [
            "theses",
            "coverage at 98 %",
            "at 95 %",
            "at 99 %",
            "RED at the floor (98 %)",
            "RED at 95 %",
            "AMBER or RED at 98 %",
        ],
        {
            "coverage at 98 %": covered,
            "at 95 %": covered,
            "at 99 %": covered,
            "RED at the floor (98 %)": rarely,
        },
        note="Frames of 10 or 20 theses per sampled one, failing theses spread at random, drawn without replacement. FLOOR "
        "judges the city (131 theses at 1/15, 1,965 of the whole); the smaller sizes are of institutions, whose interval is "
        "published and whose status comes from RATE.",
    )
    for theses, institutions in DESIGNS:
        size, *found = _sampled(seed, simulations, theses, institutions)
        (at98, red98, amber98), (at95, red95, _), (at99, _, _) = found
        alarms = [red98, red95, amber98] if institutions > 1 else [None] * 3
        table.rows.append([size, at98, at95, at99, *alarms])
    return table


def _sampled(seed: int, simulations: int, theses: int, institutions: int) -> tuple:
    """Theses drawn, and per true rate of 98, 95 and 99 % the shares: covered, RED, AMBER or RED."""
    stratum, kind, weight = frame(theses, institutions)
    _, at = np.unique(stratum, return_inverse=True)
    held, drawn, rank = np.bincount(at, weight).astype(int), np.bincount(at), _rank_in_stratum(at)
    found = []
    for rate in (0.98, 0.95, 0.99):
        rng = np.random.default_rng([seed, theses, int(rate * 1000)])
        failing = round(held.sum() * (1 - rate))
        truth = 1 - failing / held.sum()
        counts = np.zeros(3)
        for i in range(simulations):
            spread = rng.multivariate_hypergeometric(held, failing)
            failed = rng.hypergeometric(spread, held - spread, drawn)
            strata = stratified.weighted_strata(stratum, kind, weight, rank >= failed[at])
            one = stratified.stratified_rate(strata, [seed, i], draws=1500, floor=0.98)
            counts += (one.lower - 1e-12 <= truth <= one.upper + 1e-12, one.below >= 0.95, one.below >= 0.60)
        found.append(tuple(float(v) for v in counts / simulations))
    return len(at), *found


def _rank_in_stratum(at: np.ndarray) -> np.ndarray:
    """0, 1, 2, … within each stratum; which theses of a stratum fail does not matter."""
    order = np.argsort(at, kind="stable")
    first = np.searchsorted(at[order], at[order])
    rank = np.empty(len(at), dtype=int)
    rank[order] = np.arange(len(at)) - first
    return rank


def courses(seed: int, simulations: int) -> Table:
    """Course answers: offerings of log-normal size whose own satisfaction varies (design effect about 2.5)."""
    table = Table(
        "Course satisfaction (CLUSTERED, H06)",
        ["offerings", "answers, mean", "coverage", "TREND RED, no change", "TREND AMBER, no change"],
        {"coverage": covered, "TREND RED, no change": rarely},
        note="True satisfaction 85 %, that of offerings Beta with an intra-class correlation of 0.06. A half width is 1.96 "
        "errors, widened by Student's t for few offerings. No change: three years of one true rate.",
    )
    mean, within = 0.85, 0.06
    a, b = mean * (1 / within - 1), (1 - mean) * (1 / within - 1)
    for offerings in (5, 12, 30, 100, 1000):
        rng = np.random.default_rng([seed, offerings])
        n = np.maximum(rng.lognormal(np.log(25), 0.5, (simulations, 3, offerings)).astype(int), 1)
        x = rng.binomial(n, rng.beta(a, b, n.shape))
        share = x.sum(axis=-1) / n.sum(axis=-1)
        unit = np.repeat(np.arange(simulations * 3), offerings)
        order = np.argsort(np.unique(unit.astype(str)).astype(int))
        error = standardise.cluster_error(unit, x.ravel(), n.ravel())[order].reshape(simulations, 3)
        effective = n.sum(axis=-1) ** 2 / (n**2).sum(axis=-1)
        error = error * stats.t.ppf(0.975, effective - 1) / stats.norm.ppf(0.975)
        lower, upper = surveys.share_limits(share, stats.norm.ppf(0.975) * error)
        inside = (lower <= mean) & (mean <= upper)
        status = trend.trend(share, error).status
        shares = [float(np.mean(status == colour)) for colour in ("RED", "AMBER")]
        table.rows.append([offerings, round(float(n.mean() * offerings)), float(inside.mean()), *shares])
    return table


def employers(seed: int, simulations: int) -> Table:
    """Weighted answers: the interval on Kish's effective number, weights log-normal (design effect about 1.3)."""
    table = Table(
        "Employer satisfaction (WEIGHTED, H15) and TREND",
        ["answers", "true rate", "coverage", "TREND RED, no change", "TREND AMBER, no change"],
        {"coverage": covered, "TREND RED, no change": rarely},
    )
    for n in (10, 30, 100, 400, 2000):
        for rate in (0.9, 0.7):
            rng = np.random.default_rng([seed, n, int(rate * 10)])
            w = rng.lognormal(0, 0.5, (simulations, 3, n))
            ok = rng.random(w.shape) < rate
            effective = w.sum(axis=-1) ** 2 / (w**2).sum(axis=-1)
            share = (w * ok).sum(axis=-1) / w.sum(axis=-1)
            x = np.minimum(share * effective, effective)
            lower, upper = rates.interval(x, effective)
            status = trend.trend(share, trend.rate_error(x, effective)).status
            colours = [float(np.mean(status == colour)) for colour in ("RED", "AMBER")]
            table.rows.append([n, rate, float(((lower <= rate) & (rate <= upper)).mean()), *colours])
    return table


def runs(seed: int, simulations: int) -> Table:
    """Three falling years of one true rate (rule FLOOR, run): how often that is called a run."""
    table = Table(
        "Downward run of H09 (three years falling, slope below 0 with 0.95)",
        ["theses", "true rate", "AMBER, no change", "raw fall in both years"],
        {"AMBER, no change": rarely},
    )
    for n in (131, 1965):
        rng = np.random.default_rng([seed, n])
        x = rng.binomial(n, 0.985, (simulations, 3))
        lower, upper = rates.interval(x, n)
        probability = trend.falling(x / n, (upper - lower) / (2 * stats.norm.ppf(0.975)))
        fell = (np.diff(x, axis=1) < 0).all(axis=1)
        table.rows.append([n, 0.985, float(np.mean(probability >= 0.95)), float(fell.mean())])
    return table


def projections(seed: int, simulations: int) -> Table:
    """Straight lines with independent noise: does the 80 % interval hold the value of 2030?"""
    table = Table(
        "Projection to 2030 (80 %)",
        ["years used", "noise of a year / change of a year", "coverage"],
        {"coverage": lambda figure: figure >= 0.78},
        note="The truth is a straight line. A bend of the line is outside any interval: statistics know nothing of what "
        "is to come.",
    )
    for years in (4, 5):
        for noise in (0.5, 2.0):
            rng = np.random.default_rng([seed, years, int(noise * 10)])
            t = np.arange(2026 - years, 2026)
            y = 0.01 * (t - 2020) + rng.normal(0, 0.01 * noise, (simulations, years))
            found = paths.project(t, y)
            later = 0.01 * 10 + rng.normal(0, 0.01 * noise, simulations)
            table.rows.append(
                [years, f"{noise:g}", float(((found.lower <= later) & (later <= found.upper)).mean())]
            )
    return table


def quality(seed: int, simulations: int) -> Table:
    """H16: three components without change; how often the composite has a direction (90 %: one in ten)."""
    table = Table(
        "Composite H16: a direction where nothing changed (90 % interval)",
        ["error / spread between institutions", "coverage of no change", "a direction"],
        {"coverage of no change": lambda figure: figure >= 0.88},
    )
    for relative in (0.1, 1.0):
        rng = np.random.default_rng([seed, int(relative * 10)])
        held = 0
        for i in range(simulations):
            errors = np.full((3, 2), relative * 0.02)
            parts = [
                composite.Component(code, 1.0, 0.02, 0.9 + rng.normal(0, e), e)
                for code, e in zip(("H06", "H09", "H15"), errors, strict=True)
            ]
            year = composite.composite([2025, 2026], parts, 2025, seed * 100_000 + i)[1]
            held += year.lower <= 0 <= year.upper
        share = held / simulations
        table.rows.append([f"{relative:g}", float(share), float(1 - share)])
    return table
