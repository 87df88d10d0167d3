"""W03: a risk index of many signals, the worst pillar plus the mean of the pillars, with every contribution.

A signal is a rate, shrunk to the mean of its peers (degree level and type) by the beta-binomial prior of `estimate.rates`,
in standard deviations of that prior, positive = worse. A pillar is the mean of its signals. max + mean, and not the mean
alone: one pillar that has fallen must not hide behind the others.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yuyan.early_warning import components
from yuyan.estimate import rates

Floats = NDArray[np.float64]
_COMPONENTS = components.load("W03")
PILLARS = {
    pillar: tuple(c.signal_code for c in _COMPONENTS if c.pillar_code == pillar)
    for pillar in dict.fromkeys(c.pillar_code for c in _COMPONENTS)
}
"""Pillar -> its signals. INTEGRITY is for the restricted role: the open index is made without its rows."""
ENTITIES = {c.signal_code: c.entities for c in _COMPONENTS}
"""Signal -> the entities that it is counted from; without confidence in one of them its pillar is left out."""
OF_PILLAR = np.array([[s in of for of_any in PILLARS.values() for s in of_any] for of in PILLARS.values()])
"""(pillars, signals): whether the signal is of the pillar."""
DRAWS, SEED = 1000, 2026


@dataclass(frozen=True)
class Index:
    """Of every point; arrays (points,) in the order of `points`, NaN where nothing was judged."""

    points: list[str]
    value: Floats
    signals: NDArray[np.int64]
    """How many signals there were."""
    parts: pl.DataFrame
    """target_code, pillar_code, signal_code, x, n, shrunk, benchmark, standardised, contribution."""


def standardised(counts: pl.DataFrame, groups: pl.DataFrame, minimum: float) -> pl.DataFrame:
    """Signals of at least `minimum` cases in standard deviations of their peers' prior.

    `counts`: signal_code, target_code, x, n. `groups`: target_code, group. Adds pillar_code, shrunk, benchmark (the peers'
    mean), standardised, error (standard deviation of it where the point is like its peers).
    """
    pillar_of = {signal: pillar for pillar, signals in PILLARS.items() for signal in signals}
    rows = counts.filter((pl.col("n") >= minimum) & pl.col("signal_code").is_in(list(pillar_of)))
    rows = rows.join(groups, on="target_code").sort("signal_code", "target_code")
    parts = []
    for (signal,), part in rows.partition_by("signal_code", as_dict=True, maintain_order=True).items():
        x, n = part["x"].to_numpy(), part["n"].to_numpy()
        priors = rates.fit_priors(part["group"].to_numpy(), x, n)
        prior = [priors[g] for g in part["group"]]
        alpha, beta = np.array([p.alpha for p in prior]), np.array([p.beta for p in prior])
        strength, mean = alpha + beta, alpha / (alpha + beta)
        spread = np.sqrt(mean * (1 - mean) / (strength + 1))
        shrunk = rates.shrunk(x, n, alpha, beta)
        parts.append(
            part.with_columns(
                pillar_code=pl.lit(pillar_of[signal]),
                shrunk=pl.Series(shrunk),
                benchmark=pl.Series(mean),
                standardised=pl.Series((mean - shrunk) / spread),
                # Var(shrunk) = (n / (n + M))^2 mean (1 - mean) / n, over the spread squared
                error=pl.Series(np.sqrt(n * (strength + 1)) / (n + strength)),
            )
        )
    names = dict.fromkeys(("pillar_code",), pl.String) | dict.fromkeys(
        ("shrunk", "benchmark", "standardised", "error"), pl.Float64
    )
    return (
        pl.concat(parts) if parts else rows.with_columns(pl.lit(None, t).alias(c) for c, t in names.items())
    )


def values(rows: pl.DataFrame, points: list[str]) -> Index:
    """The index of each point from `standardised` rows; without p-values.

    Contributions: of a signal of a pillar with k signals, z / k times (1 where the pillar is the worst, else 0) plus
    1 / pillars; they sum to the index. Pillars that were left out are simply not there.
    """
    z, _ = _matrices(rows, points)
    size = _sizes(z)
    value, worst = _combine(np.nan_to_num(z), size)
    at = {point: i for i, point in enumerate(points)}
    row = np.array([at[p] for p in rows["target_code"]], dtype=int)
    pillar = np.array([list(PILLARS).index(p) for p in rows["pillar_code"]], dtype=int)
    share = (worst[row] == pillar) + 1 / (size[row] > 0).sum(1)
    contribution = rows["standardised"].to_numpy() / size[row, pillar] * share
    return Index(
        points,
        np.where(size.sum(1) > 0, value, np.nan),
        size.sum(1),
        rows.with_columns(contribution=pl.Series(contribution, dtype=pl.Float64)),
    )


def chance(rows: pl.DataFrame, found: Index, threshold: float, minimum: float) -> tuple[Floats, Floats]:
    """Of each point whose signals all were like its peers': P(index >= its own), and P(index >= threshold); simulated.

    NaN for points with fewer than `minimum` signals.
    """
    z, error = _matrices(rows, found.points)
    judged = found.signals >= max(minimum, 1)
    size, scale, value = _sizes(z)[judged], np.nan_to_num(error)[judged], found.value[judged]
    p_value, share = np.full(len(z), np.nan), np.full(len(z), np.nan)
    if judged.any():
        rng = np.random.default_rng(SEED)
        drawn = np.array([_combine(scale * rng.standard_normal(scale.shape), size)[0] for _ in range(DRAWS)])
        p_value[judged] = ((drawn >= value).sum(0) + 1) / (DRAWS + 1)
        share[judged] = (drawn >= threshold).mean(0)
    return p_value, share


def _matrices(rows: pl.DataFrame, points: list[str]) -> tuple[Floats, Floats]:
    """Standardised values and their errors, (points, signals), NaN where there is none."""
    signals = [s for of in PILLARS.values() for s in of]
    at = {point: i for i, point in enumerate(points)}
    where = [at[p] for p in rows["target_code"]], [signals.index(s) for s in rows["signal_code"]]
    z, error = (np.full((len(points), len(signals)), np.nan) for _ in range(2))
    z[where], error[where] = rows["standardised"].to_numpy(), rows["error"].to_numpy()
    return z, error


def _sizes(z: Floats) -> NDArray[np.int64]:
    """How many signals each pillar has, (points, pillars)."""
    return (~np.isnan(z)).astype(int) @ OF_PILLAR.T


def _combine(z: Floats, size: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    """max + mean over the pillars that are there, and which is the worst; z: (points, signals), 0 where there is none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        pillar = np.where(size > 0, (z @ OF_PILLAR.T) / size, -np.inf)
        mean = np.where(size > 0, pillar, 0).sum(1) / (size > 0).sum(1)
    return pillar.max(1) + mean, pillar.argmax(1)
