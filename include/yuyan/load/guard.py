"""Which changes of a source look like a defect and must wait for a decision.

A source change (source_change.py) is held when it would end all or more than half of an entity's live records, when it
mostly returns records to content that they had before, or when a file repeats an older delivery (quality.hold.kind:
emptied, shrunk, repeated). Nothing is lost: its batches stay in landing, the watermark stays before it, and each later
collection meets it again, until the source is back to normal or the hold is accepted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl
import psycopg

from yuyan.collect.landing import Landed
from yuyan.decisions import holds
from yuyan.decisions.holds import Finding, Hold
from yuyan.load import versions
from yuyan.load.loader import Loaded

FEWEST = 20
"""Fewer live records than these, or fewer returning ones, hold nothing: but for a complete listing without any record."""


@dataclass(frozen=True)
class PendingBatch:
    """A loaded batch that has not been committed yet, without its rows."""

    landed: Landed
    loaded: Loaded


@dataclass
class Guard:
    """Watches over one entity of an institution during one collection."""

    connection: psycopg.Connection
    inst_code: str
    entity: str
    run_id: str
    as_of: date
    hold: Hold | None = None
    """The one that was open when the collection began."""

    def __post_init__(self) -> None:
        is_accepted = self.hold is not None and self.hold.state == "accepted"
        self._granted_rows = self.hold.affected_rows if is_accepted else 0
        self._is_applied = False
        self._findings: dict[str, Finding] = {}

    def holds_back(self, period: str) -> bool:
        """Whether this collection holds the period's window (a source that has no periods: its only one)."""
        return period in self._findings

    @property
    def findings(self) -> list[Finding]:
        """What is held and was not replaced by a later change of the same collection."""
        return list({id(f): f for f in self._findings.values()}.values())

    def settle(self, failed: bool, is_whole: bool) -> str | None:
        """After all of the entity: record what is held and return what the outcome says about it; None if nothing is.

        An earlier hold that met nothing to hold is withdrawn, unless the collection failed or asked for a part only.
        """
        if self.findings:
            return holds.record(
                self.connection, self.inst_code, self.entity, self.findings, self.run_id, self.as_of
            )
        if self.hold and not self._is_applied and not failed and is_whole:
            holds.withdraw(self.connection, self.hold.hold_id, self.run_id, self.as_of)
        return None

    def took_effect(self, periods: set[str]) -> None:
        """These windows are loaded: what was found about earlier ones of the same periods is of no account any more."""
        for period in periods:
            self._findings.pop(period, None)

    def allows(self, finding: Finding, periods: set[str]) -> bool:
        """Whether an accepted hold covers a finding, which is then part of the same transaction; else it is held."""
        is_covered = self._granted_rows and self.hold.covers(finding, self._granted_rows)
        if is_covered and holds.apply(self.connection, self.hold.hold_id, finding, self.run_id, self.as_of):
            self._granted_rows, self._is_applied = self._granted_rows - finding.affected, True
            return True
        self._findings |= dict.fromkeys(periods, finding)
        return False

    def inspect(self, pending: Sequence[PendingBatch]) -> Finding | None:
        """Why batches that take effect together must wait, or None. Costs nothing for an ordinary day's few changes."""
        effect = _Effect.of(pending)
        where = self.connection, self.inst_code, self.entity
        ended, changed = len(effect.ended), sum(frame.height for frame in effect.changed)

        def finding(kind: str, live: int, affected: int) -> Finding:
            landed = [batch.landed for batch in pending]
            return Finding(kind, live, affected, [b.batch_id for b in landed], [b.uri for b in landed])

        if self._repeats_a_delivery(pending):
            live = versions.live_count(*where) + effect.down - effect.up
            return finding("repeated", live, ended + changed + effect.up)
        if 2 * ended <= FEWEST and changed < FEWEST and not effect.is_listing_ending:
            return None
        # More live records than this are more than twice as many as are ended or changed, whatever came and went.
        enough = 2 * max(ended, changed) + 1 + effect.up
        left = versions.live_count(*where, at_most=enough)
        live = left + effect.down - effect.up
        if ended and not left and (effect.is_listing_ending or live >= FEWEST):
            return finding("emptied", live, ended)
        if live >= FEWEST and 2 * ended > live:
            return finding("shrunk", live, ended)
        if changed >= FEWEST and 2 * changed >= live:
            ids = [batch.landed.batch_id for batch in pending]
            returned = versions.returned(*where, pl.concat(effect.changed), ids)
            if returned >= FEWEST and 2 * returned >= live and 2 * returned > changed:
                return finding("repeated", live, returned)
        return None

    def _repeats_a_delivery(self, pending: Iterable[PendingBatch]) -> bool:
        """Whether a file that does something was loaded before, from another delivery."""
        return any(
            batch.landed.manifest["mode"] == "replace"
            and batch.loaded.effect.is_any
            and versions.delivered_before(self.connection, batch.landed.manifest)
            for batch in pending
        )


@dataclass
class _Effect:
    """What batches do to live records, together: ids that end, ids and hashes that change, how many come and go."""

    ended: set[str] = field(default_factory=set)
    changed: list[pl.DataFrame] = field(default_factory=list)
    up: int = 0
    down: int = 0
    is_listing_ending: bool = False
    """Whether a complete listing ends records."""

    @classmethod
    def of(cls, pending: Iterable[PendingBatch]) -> "_Effect":
        """A record that another file of the delivery brings back has not ended."""
        total = cls()
        for batch in pending:
            effect = batch.loaded.effect
            total.ended |= set(effect.ended)
            total.down, total.up = total.down + effect.ended.len(), total.up + effect.appeared.len()
            if total.ended:
                total.ended -= set(effect.appeared)
            if effect.changed.height:
                total.changed.append(effect.changed)
            total.is_listing_ending |= (
                batch.landed.manifest["mode"] != "incremental" and effect.ended.len() > 0
            )
        return total
