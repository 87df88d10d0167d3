"""What a source says at one time takes effect as a whole; when it looks like a defect, it waits for a decision.

A statement is one window of changes, one complete listing, or all files of one delivery. It is held when it would end all or
more than half of an entity's live records, when it mostly returns records to content that they had before, or when a file
repeats an older delivery (quality.hold.kind: emptied, shrunk, repeated). Nothing is lost: its batches stay in landing, the
watermark stays before it, and each later collection meets it again, until the source is back to normal or the hold is
accepted.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import polars as pl
import psycopg

from yuyan.collect.landing import Landed
from yuyan.decisions import holds
from yuyan.decisions.holds import Finding, Hold
from yuyan.load import versions
from yuyan.load.loader import Batch, Loaded, Loader, set_watermark

FEWEST = 20
"""Fewer live records than these, or fewer returning ones, hold nothing: but for a complete listing without any record."""


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
        accepted = self.hold is not None and self.hold.state == "accepted"
        self._granted = self.hold.affected_rows if accepted else 0
        self._applied = False
        self._found: dict[str, Finding] = {}

    def holds_back(self, period: str) -> bool:
        """Whether this collection holds the period's window (a source that has no periods: its only one)."""
        return period in self._found

    @property
    def found(self) -> list[Finding]:
        """What is held and was not replaced by a later statement of the same collection."""
        return list({id(f): f for f in self._found.values()}.values())

    @contextmanager
    def statement(self, cursor: str | None) -> Iterator["Statement"]:
        """Load what a source says at one time; afterwards it has taken effect or is held. `cursor`: of the last load."""
        statement = Statement(self, cursor)
        try:
            yield statement
        except BaseException:
            statement.abandon()
            raise
        statement.end()

    def settle(self, failed: bool, is_whole: bool) -> str | None:
        """After all of the entity: record what is held and return what the outcome says about it; None if nothing is.

        An earlier hold that met nothing to hold is withdrawn, unless the collection failed or asked for a part only.
        """
        if self.found:
            return holds.record(
                self.connection, self.inst_code, self.entity, self.found, self.run_id, self.as_of
            )
        if self.hold and not self._applied and not failed and is_whole:
            holds.withdraw(self.connection, self.hold.hold_id, self.run_id, self.as_of)
        return None

    def took_effect(self, periods: set[str]) -> None:
        """These windows are loaded: what was found about earlier ones of the same periods is of no account any more."""
        for period in periods:
            self._found.pop(period, None)

    def lets_pass(self, finding: Finding, periods: set[str]) -> bool:
        """Whether an accepted hold covers a finding, which is then part of the same transaction; else it is held."""
        is_covered = self._granted and self.hold.covers(finding, self._granted)
        if is_covered and holds.apply(self.connection, self.hold.hold_id, finding, self.run_id, self.as_of):
            self._granted, self._applied = self._granted - finding.affected, True
            return True
        self._found |= dict.fromkeys(periods, finding)
        return False


@dataclass(frozen=True)
class _Waiting:
    """A loaded batch that has not been committed yet, without its rows."""

    landed: Landed
    loaded: Loaded


@dataclass
class _Tally:
    """What batches do to live records, together: ids that end, ids and hashes that change, how many come and go."""

    ended: set[str] = field(default_factory=set)
    changed: list[pl.DataFrame] = field(default_factory=list)
    up: int = 0
    down: int = 0
    listing_ends: bool = False

    def add(self, batch: _Waiting) -> None:
        """Add a batch; a record that another file of the delivery brings back has not ended."""
        effect = batch.loaded.effect
        self.ended |= set(effect.ended)
        self.down, self.up = self.down + effect.ended.len(), self.up + effect.appeared.len()
        if self.ended:
            self.ended -= set(effect.appeared)
        if effect.changed.height:
            self.changed.append(effect.changed)
        self.listing_ends |= batch.landed.manifest["mode"] != "incremental" and effect.ended.len() > 0


class Statement:
    """Windows that take effect together, in one transaction; each is a savepoint in it, so that one that breaks off changes
    nothing. Only where raw has nothing yet of the institution's entity, what is loaded commits by itself, every file or
    every batch of another window: a long first collection that was killed takes up where it was.
    """

    def __init__(self, guard: Guard, cursor: str | None) -> None:
        self._guard, self.cursor = guard, cursor
        self.received = self.stored = 0
        self._open: list[psycopg.Transaction] = []
        self._waiting: list[_Waiting] = []
        self._before_window = 0
        self._latest = cursor
        self._is_first = False

    @property
    def latest(self) -> str | None:
        """The cursor after what has been loaded so far, in effect or not."""
        return self._latest

    def load(self, loader: Loader, batch: Batch, cursor: str | None) -> None:
        """Load a batch; the last one of its window moves the watermark to `cursor`. Raises LoadError."""
        guard = self._guard
        if not (self._open or self._is_first):
            self._is_first = not versions.has_any(guard.connection, guard.inst_code, guard.entity)
        if len(self._open) < 2:
            self._before_window = len(self._waiting)
        while len(self._open) < 2:  # the statement's transaction, and in it the window's savepoint
            self._open.append(guard.connection.transaction())
            self._open[-1].__enter__()
        loaded = loader.load(batch, cursor if batch.ends_window else None)
        self._waiting.append(_Waiting(batch.landed, loaded))
        if batch.ends_window:
            self._latest = cursor
            self._close(1, keep=True)
        if self._is_first and (batch.ends_window or batch.mode != "replace"):
            self._commit()

    def move(self, period: str, cursor: str | None) -> None:
        """An empty window, or a file that is known, moves the watermark: unless what is known of it is that it is held."""
        guard = self._guard
        if not guard.holds_back(period):
            set_watermark(guard.connection, guard.inst_code, guard.entity, cursor, guard.as_of)
            self._latest = cursor
            if not self._open:
                self.cursor = cursor

    def break_off(self) -> None:
        """Take back what waits of a window that cannot be had to its end; the statement's other windows stay."""
        if len(self._open) == 2:
            self._close(1, keep=False)
            del self._waiting[self._before_window :]

    def abandon(self) -> None:
        """Take back all that waits."""
        self._close(0, keep=False)
        self._waiting, self._latest = [], self.cursor

    def end(self) -> None:
        """Take effect, or be held. A window without its last batch has broken off."""
        self.break_off()
        if not self._open:
            return
        finding = self._finding()
        if finding is None or self._guard.lets_pass(finding, self._periods):
            self._commit()
        else:
            self.abandon()

    @property
    def _periods(self) -> set[str]:
        """Periods of the windows that wait and are whole."""
        manifests = (batch.landed.manifest for batch in self._waiting)
        return {manifest["ref_period"] for manifest in manifests if manifest["is_last"]}

    def _close(self, left: int, keep: bool) -> None:
        """End the innermost transactions until so many are left."""
        while len(self._open) > left:
            transaction = self._open.pop()
            if keep:
                transaction.__exit__(None, None, None)
            else:
                transaction.__exit__(psycopg.Rollback, psycopg.Rollback(), None)

    def _commit(self) -> None:
        self._close(0, keep=True)
        self.received += sum(batch.loaded.received for batch in self._waiting)
        self.stored += sum(batch.loaded.stored for batch in self._waiting)
        self._guard.took_effect(self._periods)
        self._waiting, self.cursor = [], self._latest

    def _repeats(self) -> bool:
        """Whether a file that does something was loaded before, from another delivery."""
        connection = self._guard.connection
        return any(
            batch.landed.manifest["mode"] == "replace"
            and batch.loaded.effect.is_any
            and versions.delivered_before(connection, batch.landed.manifest)
            for batch in self._waiting
        )

    def _finding(self) -> Finding | None:
        """Why this statement must wait, or None. Costs nothing for an ordinary day's few changes."""
        guard, tally = self._guard, _Tally()
        for batch in self._waiting:
            tally.add(batch)
        where = guard.connection, guard.inst_code, guard.entity
        ended, changed = len(tally.ended), sum(frame.height for frame in tally.changed)
        if self._repeats():
            live = versions.live_count(*where) + tally.down - tally.up
            return self._found("repeated", live, ended + changed + tally.up)
        if 2 * ended <= FEWEST and changed < FEWEST and not tally.listing_ends:
            return None
        # More live records than this are more than twice as many as are ended or changed, whatever came and went.
        enough = 2 * max(ended, changed) + 1 + tally.up
        left = versions.live_count(*where, at_most=enough)
        live = left + tally.down - tally.up
        if ended and not left and (tally.listing_ends or live >= FEWEST):
            return self._found("emptied", live, ended)
        if live >= FEWEST and 2 * ended > live:
            return self._found("shrunk", live, ended)
        if changed >= FEWEST and 2 * changed >= live:
            ids = [batch.landed.batch_id for batch in self._waiting]
            returned = versions.returned(*where, pl.concat(tally.changed), ids)
            if returned >= FEWEST and 2 * returned >= live and 2 * returned > changed:
                return self._found("repeated", live, returned)
        return None

    def _found(self, kind: str, live: int, affected: int) -> Finding:
        landed = [batch.landed for batch in self._waiting]
        return Finding(kind, live, affected, [b.batch_id for b in landed], [b.uri for b in landed])
