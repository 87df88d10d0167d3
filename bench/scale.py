"""The whole line at several sizes, three days each: rows, seconds per stage, peak memory, and how they grow.

    python bench/scale.py [size …]      (default 0.0667 and 1; a city of size 1 takes an hour and more and 30 GB of disk)

On the second day records change in proportion to the city, on the third about as many in each as change in
the smallest.

Each size runs as a user runs it (`yuyan run`, in a work folder of its own that is removed afterwards). Memory is that of the
line's services and tasks together, a page that processes share counted once, sampled every two seconds; the simulated
platforms stand beside it, since a real city's are elsewhere. Prints the tables of docs/performance.md with the exponent of
growth (seconds ~ size^exponent, least squares over the logarithms), and the medians of the marts' example queries on the
largest city (bench/queries.py).
"""

import math
import os
import statistics
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import queries

from yuyan import settings
from yuyan_demo.runtime import environment, services

HOME = Path(os.environ.get("YUYAN_HOME", settings.PROJECT / ".yuyan")) / "bench-scale"
STAGES = (
    "collect", "validate", "reconcile", "star", "indicators", "assess", "estimate", "warn", "changes", "marts", "disclosure",
    "docs", "feedback",
)  # fmt: skip
ALL = "all stages"
DAYS = (
    "first day, everything",
    "the day after, changes only",
    "the third, as many changes in each city as in the smallest",
)
Figures = dict[str, float]


class Memory(threading.Thread):
    """Greatest memory of the services while a run lasts, in MB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.line = self.platforms = 0.0
        self.done = threading.Event()

    def run(self) -> None:
        while not self.done.wait(2):
            found = {row["name"]: row["memory_mb"] or 0 for row in services.status(HOME)}
            platforms = found.pop(services.PLATFORMS)
            self.line, self.platforms = max(self.line, sum(found.values())), max(self.platforms, platforms)


def day(env: dict[str, str], scale: float, pace: float) -> Figures:
    """Run one day, on which `pace` times as many records change as usual; rows received and stored, seconds per stage and
    in all, megabytes."""
    memory = Memory()
    memory.start()
    try:
        subprocess.run(
            ["yuyan", "run", "--scale", str(scale)],
            env=env | {"YUYAN_SIMULATED_PACE": str(pace)},
            check=True,
            stdout=subprocess.DEVNULL,
        )
    finally:
        memory.done.set()
        memory.join()
    with psycopg.connect(services.load(HOME).warehouse_dsn) as connection:
        (as_of,) = connection.execute("select max(as_of) from ops.run").fetchone()
        received, stored = connection.execute(
            "select sum(rows_received), sum(rows_stored) from ops.batch where as_of = %s", [as_of]
        ).fetchone()
        seconds = connection.execute(
            "select s.stage, s.seconds from ops.stage_result s join ops.run r using (run_id) where r.as_of = %s",
            [as_of],
        ).fetchall()
        (collect,) = connection.execute(
            "select extract(epoch from ended_at - started_at) from ops.run where kind = 'collect' and as_of = %s",
            [as_of],
        ).fetchone()
        (disk,) = connection.execute("select pg_database_size(current_database()) / 1e6").fetchone()
    found = {"rows received": received, "rows stored": stored, "line MB": memory.line}
    found |= {"platforms MB": memory.platforms, "database MB": disk} | dict(seconds) | {"collect": collect}
    figures = {name: float(figure) for name, figure in found.items()}
    return figures | {ALL: sum(figures.get(stage, 0) for stage in STAGES)}


def exponent(figures: dict[float, float]) -> float:
    """How a figure grows with the size of the city: 1 in proportion, 0 not at all."""
    if len(figures) < 2 or not all(figures.values()):
        return float("nan")
    return statistics.linear_regression(
        *zip(*((math.log(s), math.log(f)) for s, f in figures.items()), strict=True)
    ).slope


def main(*sizes: float) -> None:
    """All sizes, three days each; prints Markdown. Each day is told on stderr when it has ended."""
    found = {}
    for size in sizes:
        env = environment.inherited() | {"YUYAN_HOME": str(HOME)}
        subprocess.run(["yuyan", "clean"], env=env, check=True, stdout=subprocess.DEVNULL)
        try:
            paces = (1.0, 1.0, min(sizes) / size)
            found[size] = [
                _told(size, title, day(env, size, pace)) for title, pace in zip(DAYS, paces, strict=True)
            ]
            if size == max(sizes):
                queries.report(services.load(HOME).warehouse_dsn)
        finally:
            subprocess.run(["yuyan", "clean"], env=env, check=True, stdout=subprocess.DEVNULL)
    for number, title in enumerate(DAYS):
        of_day = {size: days[number] for size, days in found.items()}
        heads = " | ".join(f"scale {size:.3g}" for size in sizes)
        print(f"\n| {title} | {heads} | exponent |\n|---|{'--:|' * (len(sizes) + 1)}")
        for name in ("rows received", "rows stored", "database MB", "line MB", "platforms MB", *STAGES, ALL):
            _print(
                name, {size: figures.get(name, 0) for size, figures in of_day.items()}, name in (*STAGES, ALL)
            )
    for number, title in ((1, "day after"), (2, "third day")):
        ratios = " | ".join(f"{days[number][ALL] / days[0][ALL]:.2f}" for days in found.values())
        print(f"| {title} / first day, all stages | {ratios} | |")


def _told(size: float, title: str, figures: Figures) -> Figures:
    written = ", ".join(f"{name} {figure:,.1f}" for name, figure in figures.items())
    print(f"scale {size:.3g}, {title}: {written}", file=sys.stderr, flush=True)
    return figures


def _print(name: str, figures: dict[float, float], is_fine: bool) -> None:
    written = " | ".join(f"{f:,.{1 if is_fine else 0}f}" for f in figures.values())
    print(f"| {name} | {written} | {exponent(figures):.2f} |")


if __name__ == "__main__":
    main(*([float(a) for a in sys.argv[1:]] or [1 / 15, 1.0]))
