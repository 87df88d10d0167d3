"""What the REST platforms serve right now: the day named in `<home>/simulator/current.json`, read again when it changes."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from yuyan_demo.simulator.products import credentials, faults, key_changes, state
from yuyan_demo.simulator.products.assignment import LEGACY, VERSIONED, product_of

CACHE_BYTES = 256 * 1024 * 1024
"""Bound on the records held in memory at one time; the largest table of one institution may exceed it alone."""


@dataclass(frozen=True)
class Today:
    """One prepared day: who is served, with which secrets, faults and records."""

    home: Path
    day: int
    secrets: dict[str, dict[str, str]]
    change_versions: dict[str, int]
    key_changes: pl.DataFrame
    gauge: faults.Gauge
    cache: state.Cache = field(default_factory=lambda: state.Cache(CACHE_BYTES))

    def records(self, entity: str, inst: str) -> pl.DataFrame:
        """All records of an institution's entity, ordered by record id."""
        return self.cache.get((entity, inst), lambda: state.records(self.home, self.day, entity, inst))


class Platforms:
    """Gives the current day to every request; safe under threads."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._stamp: int | None = None
        self._today: Today | None = None
        self._lock = threading.Lock()

    def today(self) -> Today:
        """The prepared day. Raises FileNotFoundError when none has been prepared."""
        path = self._home / "simulator" / "current.json"
        stamp = path.stat().st_mtime_ns
        with self._lock:
            if stamp != self._stamp or self._today is None:
                self._today = self._open(state.read_json(path, {}))
                self._stamp = stamp
            return self._today

    def is_down(self, inst: str) -> bool:
        """Whether `<home>/simulator/down.json` (a list of codes) names this institution."""
        return inst in state.read_json(self._home / "simulator" / "down.json", [])

    def _open(self, current: dict[str, int]) -> Today:
        day, seed = current["day"], current["seed"]
        held = state.read_json(credentials.path(self._home), {"institutions": {}})["institutions"]
        plans = {
            product: faults.plan(seed, day, product, [i for i in held if product_of(i) == product])
            for product in (VERSIONED, LEGACY)
        }
        return Today(
            home=self._home,
            day=day,
            secrets=held,
            change_versions=state.change_versions(self._home, day),
            key_changes=key_changes.read(self._home, day),
            gauge=faults.Gauge(plans, day, self._home / "simulator" / "faults.jsonl"),
        )
