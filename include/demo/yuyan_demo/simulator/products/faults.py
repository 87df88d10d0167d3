"""What goes wrong today, where, and how often: a fixed plan per seed and day, so that a run can be repeated.

Every kind hits one institution of each REST product a day; request faults fire a bounded number of times at one of its
entities and then the same request works.
"""

import json
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path

from yuyan_demo.simulator.products.assignment import VERSIONED, entities_of

TOO_MANY, UNAVAILABLE, CUT, SLOW, EXPIRED = (
    "too_many_requests",
    "unavailable",
    "cut_connection",
    "slow_page",
    "expired_token",
)
DUPLICATE, SHUFFLED = "duplicate_record", "shuffled_page"

TIMES = {EXPIRED: 1, TOO_MANY: 1, UNAVAILABLE: 2, CUT: 1, SLOW: 1}
"""How often a request fault fires, in the order in which they would fire at one entity."""

SLOW_SECONDS = 1.5


def draw(seed: int, *what: object) -> int:
    """A number that follows from the seed and what it is drawn for."""
    return zlib.crc32("|".join(map(str, (seed, *what))).encode())


@dataclass(frozen=True)
class Plan:
    """Faults of one product on one day: {kind: (institution, entity)}; page faults hit every entity."""

    targets: dict[str, tuple[str, str]]

    def page_fault(self, kind: str, inst: str) -> bool:
        """Whether this institution's pages have a fault of content (duplicates, order) today."""
        return kind in self.targets and self.targets[kind][0] == inst


def plan(seed: int, day: int, product: str, institutions: list[str]) -> Plan:
    """Spread the kinds over the institutions of a product and their entities."""
    kinds = [k for k in (*TIMES, DUPLICATE, SHUFFLED) if product == VERSIONED or k != EXPIRED]
    targets = {}
    for i, kind in enumerate(kinds if institutions else []):
        inst = sorted(institutions)[(draw(seed, day, product) + i) % len(institutions)]
        entities = sorted(c.entity for c in entities_of(inst))
        targets[kind] = (inst, entities[(draw(seed, day, inst) + 5 * i) % len(entities)])
    return Plan(targets)


class Gauge:
    """Counts down the request faults of a day; safe under threads. What fired is appended to a log file."""

    def __init__(self, plans: dict[str, Plan], day: int, log: Path) -> None:
        self._plans, self._day, self._log = plans, day, log
        self._left = {
            (product, kind): TIMES[kind]
            for product, p in plans.items()
            for kind in p.targets
            if kind in TIMES
        }
        self._lock = threading.Lock()

    def next(self, product: str, inst: str, entity: str) -> str | None:
        """The fault this request meets, if any is left for it."""
        with self._lock:
            for kind in TIMES:
                left = self._left.get((product, kind), 0)
                if left and self._plans[product].targets[kind] == (inst, entity):
                    self._left[product, kind] = left - 1
                    self._record(product, inst, entity, kind)
                    return kind
        return None

    def page_fault(self, product: str, kind: str, inst: str) -> bool:
        """Whether this institution's pages have a fault of content today."""
        return self._plans[product].page_fault(kind, inst)

    def _record(self, product: str, inst: str, entity: str, kind: str) -> None:
        line = {"day": self._day, "product": product, "inst_code": inst, "entity": entity, "fault": kind}
        with self._log.open("a", encoding="utf-8") as f:
            f.write(json.dumps(line) + "\n")
