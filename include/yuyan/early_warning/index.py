"""W03: a risk index of many signals, the worst pillar plus the mean of the pillars, with every contribution.

A signal is a rate, shrunk to the mean of its peers (degree level and type) by the beta-binomial prior of `estimate.rates`,
in standard deviations of that prior, positive = worse. A pillar is the mean of its signals. max + mean, and not the mean
alone: one pillar that has fallen must not hide behind the others.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from yuyan.estimate import rates

Floats = NDArray[np.float64]
PILLARS = {
    "QUALITY": ("H09d", "EXPERT", "BLIND"),
    "PROCESS": ("DELAY", "LOAD", "M06.1", "H06"),
    "OUTCOME": ("H12", "H13a", "INTAKE"),
}
ENTITIES = {
    "H09d": ("thesis_sampling",), "EXPERT": ("thesis_sampling_review",), "BLIND": ("thesis_review",),
    "DELAY": ("student_status_event", "student"), "LOAD": ("student_supervisor",), "M06.1": ("course_revision", "course"),
    "H06": ("course_evaluation",), "H12": ("thesis", "degree_award"), "H13a": ("employment",),
    "INTAKE": ("admission", "admission_plan"),
}  # fmt: skip
"""Signal -> the entities that it is counted from; without confidence in one of them its pillar is left out."""
INTEGRITY = "INTEGRITY"
"""The pillar of misconduct, for the restricted role only."""
DRAWS, SEED = 1000, 2026


@dataclass(frozen=True)
class Index:
    """Of every point; arrays (points,) in the order of `points`, NaN where nothing was judged."""

    points: list[str]
    value: Floats
    signals: NDArray[np.int64]
    """How many signals there were."""
    p_value: Floats
    """P(index at least as high | every signal at the mean of its peers), simulated."""
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


def risk(rows: pl.DataFrame, points: list[str], thresholds: tuple[float, ...] = ()) -> tuple[Index, Floats]:
    """The index of each point from `standardised` rows; and P(index >= threshold | like its peers), (thresholds, points).

    Contributions: of a signal of a pillar with k signals, z / k times (1 where the pillar is the worst, else 0) plus
    1 / pillars; they sum to the index. Pillars that were left out are simply not there.
    """
    at = {point: i for i, point in enumerate(points)}
    pillars = list(PILLARS)
    signals = [s for of in PILLARS.values() for s in of]
    shape = (len(points), len(signals))
    z, error = np.full(shape, np.nan), np.full(shape, np.nan)
    where = [at[p] for p in rows["target_code"]], [signals.index(s) for s in rows["signal_code"]]
    z[where], error[where] = rows["standardised"].to_numpy(), rows["error"].to_numpy()
    is_there = ~np.isnan(z)
    of_pillar = np.array([[s in PILLARS[p] for s in signals] for p in pillars])
    size = is_there.astype(int) @ of_pillar.T
    value, worst = _combine(np.where(is_there, z, 0), size, of_pillar)
    with np.errstate(invalid="ignore", divide="ignore"):
        count = (size > 0).sum(1)
        pillar_at = np.array([pillars.index(p) for p in rows["pillar_code"]], dtype=int)
        share = (worst[where[0]] == pillar_at) + 1 / count[where[0]] if len(rows) else np.array([])
        own = size[where[0], pillar_at] if len(rows) else np.array([])
        contribution = rows["standardised"].to_numpy() / own * share
    rng = np.random.default_rng(SEED)
    at_least, above = np.zeros(len(points)), np.zeros((len(thresholds), len(points)))
    scale = np.where(is_there, error, 0)
    for _ in range(DRAWS):
        drawn, _ = _combine(scale * rng.standard_normal(shape), size, of_pillar)
        at_least += drawn >= value
        above += np.array([drawn >= t for t in thresholds]).reshape(above.shape)
    judged = size.sum(1) > 0
    p_value = np.where(judged, (at_least + 1) / (DRAWS + 1), np.nan)
    parts = rows.with_columns(contribution=pl.Series(contribution, dtype=pl.Float64))
    index = Index(points, np.where(judged, value, np.nan), size.sum(1), p_value, parts)
    return index, np.where(judged, above / DRAWS, np.nan)


def _combine(
    z: Floats, size: NDArray[np.int64], of_pillar: NDArray[np.bool_]
) -> tuple[Floats, NDArray[np.int64]]:
    """max + mean over the pillars that are there, and which is the worst; z: (points, signals), 0 where there is none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        pillar = np.where(size > 0, (z @ of_pillar.T) / size, -np.inf)
        mean = np.where(size > 0, pillar, 0).sum(1) / (size > 0).sum(1)
    return pillar.max(1) + mean, pillar.argmax(1)
