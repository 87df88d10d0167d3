"""What a source says at one time takes effect as a whole, or not at all."""

from types import TracebackType
from typing import Self

from yuyan.load import versions
from yuyan.load.batch import Batch
from yuyan.load.guard import Guard, PendingBatch
from yuyan.load.loader import Loader
from yuyan.load.ops import set_watermark


class SourceChange:
    """One window of changes, one complete listing, or all files of one delivery, in one transaction.

    Each window is a savepoint, so that one that breaks off changes nothing. At the end the guard decides whether the change
    takes effect or is held. Only where raw has nothing yet of the institution's entity, what is loaded commits by itself,
    every file or every batch of another window: a long first collection that was killed takes up where it was.

    >>> with SourceChange(guard, cursor) as change:
    ...     change.load(loader, batch, next_cursor)
    >>> change.stored, change.cursor
    """

    def __init__(self, guard: Guard, cursor: str | None) -> None:
        """`cursor`: of what was loaded before. The guard's connection is in autocommit mode."""
        self._guard, self._connection, self.cursor = guard, guard.connection, cursor
        self.received = self.stored = 0
        self.latest = cursor
        """The cursor after what has been loaded so far, in effect or not."""
        self._pending: list[PendingBatch] = []
        self._is_begun = False
        self._window_start: int | None = None
        """How many batches were pending when the open window began; None while no window is open."""
        self._is_first_load = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            if error is None:
                self._end()
        finally:
            self.abandon()

    def load(self, loader: Loader, batch: Batch, cursor: str | None) -> None:
        """Load a batch; the last one of its window moves the watermark to `cursor`. Raises LoadError."""
        guard = self._guard
        if not (self._is_begun or self._is_first_load):
            self._is_first_load = not versions.has_any(self._connection, guard.inst_code, guard.entity)
        if not self._is_begun:
            self._connection.execute("begin")
            self._is_begun = True
        if self._window_start is None:
            self._connection.execute("savepoint source_window")
            self._window_start = len(self._pending)
        loaded = loader.load(batch, cursor if batch.ends_window else None)
        self._pending.append(PendingBatch(batch.landed, loaded))
        if batch.ends_window:
            self.latest = cursor
            self._connection.execute("release savepoint source_window")
            self._window_start = None
        if self._is_first_load and (batch.ends_window or batch.mode != "replace"):
            self._commit()

    def move(self, period: str, cursor: str | None) -> None:
        """An empty window, or a file that is known, moves the watermark: unless what is known of it is that it is held."""
        guard = self._guard
        if not guard.holds_back(period):
            set_watermark(self._connection, guard.inst_code, guard.entity, cursor, guard.as_of)
            self.latest = cursor
            if not self._is_begun:
                self.cursor = cursor

    def break_off(self) -> None:
        """Take back what is pending of a window that cannot be had to its end; the other windows stay."""
        if self._window_start is not None:
            self._connection.execute("rollback to savepoint source_window")
            self._connection.execute("release savepoint source_window")
            del self._pending[self._window_start :]
            self._window_start = None

    def abandon(self) -> None:
        """Take back all that is pending."""
        if self._is_begun and not self._connection.closed:  # a lost connection has rolled back by itself
            self._connection.execute("rollback")
        self._is_begun, self._window_start = False, None
        self._pending, self.latest = [], self.cursor

    def _end(self) -> None:
        """Take effect, or be held. A window without its last batch has broken off."""
        self.break_off()
        if not self._is_begun:
            return
        finding = self._guard.inspect(self._pending)
        if finding is None or self._guard.allows(finding, self._complete_periods()):
            self._commit()
        else:
            self.abandon()

    def _complete_periods(self) -> set[str]:
        """Periods of the pending windows that are complete."""
        manifests = (batch.landed.manifest for batch in self._pending)
        return {manifest["ref_period"] for manifest in manifests if manifest["is_last"]}

    def _commit(self) -> None:
        self._connection.execute("commit")
        self._is_begun, self._window_start = False, None
        self.received += sum(batch.loaded.received for batch in self._pending)
        self.stored += sum(batch.loaded.stored for batch in self._pending)
        self._guard.took_effect(self._complete_periods())
        self._pending, self.cursor = [], self.latest
