"""Uncertainty and sensitivity of 30 institutions and 25 indicators at 5,000 draws, against the same design in plain pandas.

    .yuyan/venv/bin/python bench/allocate.py [draws]

The whole analysis runs the model (assumptions + 2) x draws times; the peer is timed on some of them: every run costs it
as much. Both must give the same scores for the same draws, or nothing is reported.
"""

import sys
import time
from decimal import Decimal

import numpy as np
import pandas_peer

from yuyan.allocate import robustness
from yuyan.allocate.formula import Formula
from yuyan.allocate.scores import Indicators

UNITS, INDICATORS, PEER_RUNS, BUDGET_SECONDS, WANTED = 30, 25, 400, 5.0, 20


def problem(seed: int = 1) -> robustness.Problem:
    """A made-up city: two definitions of every other indicator, sampling errors on all."""
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.full(INDICATORS, 8.0))
    posts = np.zeros(INDICATORS), np.ones(INDICATORS)
    indicators = Indicators(tuple(map(str, range(INDICATORS))), weights, *posts, ("goalpost",) * INDICATORS)
    last = rng.integers(4_000_000, 90_000_000, UNITS).astype(float)
    formula = Formula(
        indicators, "arithmetic", last / 1e5, last, int(last.sum() * 1.02), 0.7, 1.0, 1.0, 10.0, Decimal("0.03"),
        Decimal("0.06"), 0.66,
    )  # fmt: skip
    definitions = rng.uniform(0.05, 0.95, (2, UNITS, INDICATORS))
    definitions[1, :, ::2] = np.nan
    return robustness.Problem(formula, definitions, np.full(definitions.shape, 0.03))


def main(draws: int) -> None:
    made = problem()
    sample = robustness.draw(made, PEER_RUNS, np.random.default_rng(2))
    started = time.perf_counter()
    peer = pandas_peer.drawn_scores(made, sample, PEER_RUNS)
    pandas_peer.ranked(peer)
    peer_seconds = time.perf_counter() - started
    ours = robustness.drawn_scores(made, sample)
    np.testing.assert_allclose(ours, peer.to_numpy(), rtol=1e-9)
    started, used = time.perf_counter(), time.process_time()
    robustness.robustness(made, draws, seed=1)
    seconds, used = time.perf_counter() - started, time.process_time() - used
    runs = draws * (len(robustness.ASSUMPTIONS) + 2)
    whole = peer_seconds / PEER_RUNS * runs
    print(f"{UNITS} institutions, {INDICATORS} indicators, {draws:,} draws, {runs:,} runs of the model")
    print(f"ours   {seconds:8.2f} s wall, {used:.2f} s processor (budget {BUDGET_SECONDS:g} s on 2 cores)")
    print(f"pandas {whole:8.2f} s, from {PEER_RUNS} runs in {peer_seconds:.2f} s")
    print(f"ratio  {whole / seconds:8.1f} x (wanted: at least {WANTED} x)")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5000)
