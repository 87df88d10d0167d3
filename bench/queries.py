"""Milliseconds of every example query of the marts on a warehouse that is there, warmed.

    python bench/queries.py [work folder]      (default .yuyan; its services must be running, as after `make run`)

Each query is asked once to warm the cache and then seven times, fetching every row; printed is the median of the seven.
"""

import statistics
import sys
import time
from pathlib import Path

import psycopg

from yuyan import settings
from yuyan_demo.runtime import services

sys.path.insert(0, str(settings.PROJECT / "tests"))
from support import examples

BUDGET = 100.0
ROUNDS = 7


def milliseconds(dsn: str) -> dict[str, float]:
    """Query name -> median milliseconds."""
    found = {}
    with psycopg.connect(dsn, autocommit=True) as connection:
        for name, query in examples.of_marts().items():
            times = []
            for _ in range(1 + ROUNDS):
                started = time.perf_counter()
                connection.execute(query).fetchall()
                times.append((time.perf_counter() - started) * 1000)
            found[name] = statistics.median(times[1:])
    return found


def report(dsn: str) -> None:
    """Print every query's median, the median of all, and whether it meets the budget."""
    found = milliseconds(dsn)
    for name, median in sorted(found.items(), key=lambda item: -item[1]):
        print(f"  {name:24}{median:8.1f} ms{'' if median <= BUDGET else f'  over {BUDGET:.0f} ms'}")
    median = statistics.median(found.values())
    print(f"queries: {len(found)}, median {median:.1f} ms, slowest {max(found.values()):.1f} ms    "
          f"budget ≤ {BUDGET:.0f} ms  {'met' if max(found.values()) <= BUDGET else 'MISSED'}")  # fmt: skip


if __name__ == "__main__":
    report(services.load(Path(sys.argv[1]) if len(sys.argv) > 1 else settings.home()).warehouse_dsn)
