"""The whole line at two sizes, two days each: rows, seconds per stage, peak memory, and how they grow.

    python bench/scale.py [small] [large]      (default 1/15 and 1; the large one takes twenty minutes and 25 GB of disk)

Each size runs as a user runs it (`yuyan run`, in a work folder of its own that is removed afterwards). Memory is that of the
line's services and tasks together, a page that processes share counted once, sampled every two seconds; the simulated
platforms stand beside it, since a real city's are elsewhere. Prints the tables of docs/performance.md, and the medians of
the marts' example queries on the large city (bench/queries.py).
"""

import os
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
    "collect", "validate", "reconcile", "star", "indicators", "assess", "estimate", "warn", "changes", "marts", "docs",
    "feedback",
)  # fmt: skip
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


def day(env: dict[str, str], scale: float) -> Figures:
    """Run one day; rows received and stored, accepted rows in all, seconds per stage and in all, megabytes."""
    memory = Memory()
    memory.start()
    try:
        subprocess.run(
            ["yuyan", "run", "--scale", str(scale)], env=env, check=True, stdout=subprocess.DEVNULL
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
    found |= {"platforms MB": memory.platforms, "database MB": disk}
    return {k: float(v) for k, v in {**found, **dict(seconds), "collect": collect}.items()}


def main(small: float, large: float) -> None:
    """Both sizes, two days each; prints Markdown."""
    found = {}
    for scale in (small, large):
        env = environment.inherited() | {"YUYAN_HOME": str(HOME)}
        subprocess.run(["yuyan", "clean"], env=env, check=True, stdout=subprocess.DEVNULL)
        try:
            found[scale] = [day(env, scale) for _ in range(2)]
            if scale == large:
                queries.report(services.load(HOME).warehouse_dsn)
        finally:
            subprocess.run(["yuyan", "clean"], env=env, check=True, stdout=subprocess.DEVNULL)
    for number, title in enumerate(("first day, everything", "the day after, changes only")):
        few, many = (found[scale][number] for scale in (small, large))
        print(f"\n| {title} | scale {small:.3g} | scale {large:.3g} | growth |\n|---|--:|--:|--:|")
        for name in ("rows received", "rows stored", "database MB", "line MB", "platforms MB", *STAGES):
            a, b = few.get(name, 0), many.get(name, 0)
            digits = 1 if name in STAGES else 0
            print(f"| {name} | {a:,.{digits}f} | {b:,.{digits}f} | {b / a if a else float('nan'):.1f} |")
        a, b = (sum(day_figures.get(s, 0) for s in STAGES) for day_figures in (few, many))
        print(f"| all stages, seconds | {a:,.1f} | {b:,.1f} | {b / a:.1f} |")


if __name__ == "__main__":
    sizes = [float(a) for a in sys.argv[1:]]
    main(*(sizes or [1 / 15, 1.0]))
