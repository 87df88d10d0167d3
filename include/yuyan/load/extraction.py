"""Fetch and land the windows of one entity in a worker thread, and hand them over in the order in which they come."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from queue import SimpleQueue

from yuyan.collect.landing import Landed, land
from yuyan.collect.source import ListMoved, Meter, Page, Source, SourceError, Window, too_much
from yuyan.domain import contracts
from yuyan.domain.institutions import Institution

READS = 4
"""How often a list is read that changes while it is being read."""


@dataclass(frozen=True)
class Part:
    """What arrived of a window: a landed batch, or the error that ended it, or neither when it was empty or is known."""

    window: Window
    landed: Landed | None = None
    error: SourceError | None = None


class Extraction:
    """One entity of a source. `run` works in a worker thread; iterating yields the parts as they arrive.

    >>> extraction = Extraction(source, institution, "student", run_id, as_of)
    >>> pool.submit(extraction.run, cursor, full=False)
    >>> for part in extraction: ...
    """

    def __init__(
        self, source: Source, institution: Institution, entity: str, run_id: str, as_of: date
    ) -> None:
        self._source, self._institution, self._entity = source, institution, entity
        self._run_id, self._as_of = run_id, as_of
        self._arrived: SimpleQueue = SimpleQueue()
        self.meter = Meter()
        self.count: int | None = None
        """Live records that the source says it has, known at the end; None if it cannot say."""
        self.count_error: SourceError | None = None
        self.seconds = 0.0

    def __iter__(self) -> Iterator[Part]:
        return iter(self._arrived.get, None)

    def run(self, cursor: str | None, full: bool) -> None:
        """Land every window that comes after the cursor; then ask for the count, unless a window failed."""
        started, failed = time.monotonic(), False
        try:
            for window in self._source.windows(self._entity, cursor, full):
                try:
                    self._deliver(window)
                except SourceError as error:
                    failed = True
                    self._arrived.put(Part(window, error=error))
            if not failed:
                try:
                    self.count = self._source.count(self._entity, self.meter)
                except SourceError as error:
                    self.count_error = error
        finally:
            self.seconds = time.monotonic() - started
            self._arrived.put(None)

    def _deliver(self, window: Window) -> None:
        """Hand over the batches of a window. Of what proves itself at its end nothing is handed over before."""
        is_empty = True
        for landed in self._proved(window) if self._source.proves_at_end else self._land(window):
            self._arrived.put(Part(window, landed))
            is_empty = False
        if is_empty:
            self._arrived.put(Part(window))

    def _proved(self, window: Window) -> list[Landed]:
        """All batches of a window, read again when it changed while being read. Raises ListMoved after READS times."""
        for attempt in range(1, READS + 1):
            try:
                return list(self._land(window))
            except ListMoved:
                if attempt == READS:
                    raise
        raise AssertionError("unreachable")

    def _land(self, window: Window) -> Iterable[Landed]:
        if window.already_loaded:
            return ()
        contract = contracts.load()[window.entity]
        mapping, pages = self._institution.mapping(contract), self._source.pages(window, self.meter)
        pages = self._within_limits(window, pages)
        return land(self._institution, contract, mapping, window, pages, self._run_id, self._as_of)

    def _within_limits(self, window: Window, pages: Iterable[Page]) -> Iterator[Page]:
        rows, most = 0, self._institution.platform.limits.rows
        for page in pages:
            rows += page.frame.height
            if rows > most:
                raise too_much(
                    self._institution, window.entity, "rows", "一次报送的记录", "records of one window"
                )
            yield page
