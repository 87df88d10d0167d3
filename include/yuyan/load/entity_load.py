"""Load one entity of an institution as its extraction delivers it, and compare the source's count with the warehouse."""

import logging
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby

import psycopg

from yuyan.collect.prefetch import prefetched
from yuyan.collect.reducer import MandatoryGone
from yuyan.collect.source import Source, SourceError, Window
from yuyan.domain import contracts
from yuyan.domain.institutions import Institution
from yuyan.load import ops
from yuyan.load.batch import Batch, LoadError, prepare
from yuyan.load.extraction import Extraction
from yuyan.load.guard import Guard
from yuyan.load.loader import Loader
from yuyan.load.outcome import Outcome
from yuyan.load.source_change import SourceChange
from yuyan.load.versions import Held, live_count

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Part:
    """A part of an extraction, mapped."""

    window: Window
    batch: Batch | None
    error: SourceError | None


def _delivery_of(part: _Part) -> object:
    """What takes effect together: all files of a delivery, or else a window."""
    return part.window.version if part.window.mode == "replace" else part.window


@dataclass
class _WindowLog:
    """What became of an entity's windows, and what the outcome says of it."""

    errors: dict[str, str] = field(default_factory=dict)
    """Period -> the error that stands."""
    refused: set[tuple[str, str]] = field(default_factory=set)
    """(period, until) of windows that were not loaded."""
    notes: list[str] = field(default_factory=list)
    drifts: list[dict[str, tuple[str, int]]] = field(default_factory=list)
    windows: int = 0
    repeats: int = 0
    future_rows: int = 0
    """Rows stamped later than the day of the collection."""

    def failed(self, window: Window, error: Exception) -> None:
        self.errors[window.ref_period] = str(error)
        self.refused.add((window.ref_period, window.until))
        if isinstance(error, MandatoryGone):
            self.drifts.append(error.drift)

    def loaded(self, window: Window) -> None:
        """A period's error is only a note once a later file has replaced it."""
        if error := self.errors.pop(window.ref_period, None):
            self.notes.append(f"{error}（已由后续交付更正 / put right by a later delivery）")


class EntityLoad:
    """One entity of an institution during one collection. `is_whole`: no part only was asked for (`since`)."""

    def __init__(self, institution: Institution, source: Source, guard: Guard, is_whole: bool) -> None:
        self._institution, self._source, self._guard, self._is_whole = institution, source, guard, is_whole
        self._connection, self._code, self._entity = guard.connection, guard.inst_code, guard.entity
        self._contract = contracts.load()[guard.entity]
        self._mapping = institution.mapping(self._contract)
        self._held = Held()

    def run(self, extraction: Extraction, future: Future[None], cursor: str | None) -> Outcome:
        """Load what the extraction delivers, compare the counts; a failure is recorded, not raised."""
        outcome, started = Outcome(self._entity), time.monotonic()
        with self._defects_recorded(outcome):
            self._load(extraction, cursor, outcome)
            future.result()
            if outcome.outcome != "failed":
                self._compare(extraction, outcome)
        with self._defects_recorded(outcome):  # a hold is recorded whatever happened since
            hold_note = self._guard.settle(outcome.outcome == "failed", self._is_whole)
            if hold_note:
                outcome.outcome = "failed" if outcome.outcome == "failed" else "held"
                outcome.error = "\n".join(filter(None, [hold_note, outcome.error]))
        outcome.requests, outcome.retries = extraction.meter.requests, extraction.meter.retries
        outcome.seconds = max(extraction.seconds, time.monotonic() - started)
        return outcome

    @contextmanager
    def _defects_recorded(self, outcome: Outcome) -> Iterator[None]:
        """An unexpected exception becomes the entity's failure, but when the warehouse has gone: nothing can be recorded
        then, and the task is tried again.
        """
        try:
            yield
        except psycopg.OperationalError:
            raise
        except Exception as error:
            # A defect of ours. Its text may quote a record, so only its kind and where it happened are recorded.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("%s %s: %s\n%s", self._code, outcome.entity, type(error).__name__, where)
            message = (
                f"{self._code} {outcome.entity}：程序意外错误 {type(error).__name__}，详见任务日志。/ "
                f"unexpected {type(error).__name__}; see the task's log"
            )
            outcome.outcome = "failed"
            outcome.error = "\n".join(filter(None, [outcome.error, message]))

    def _load(self, extraction: Extraction, cursor: str | None, outcome: Outcome) -> None:
        """Load the batches in order; the watermark moves with the last one of a window, never past a failure or a hold."""

        def mapped() -> Iterator[_Part]:
            for part in extraction:
                batch = part.landed and prepare(part.landed, self._contract, self._mapping)
                yield _Part(part.window, batch, part.error)

        windows = _WindowLog()
        for _, delivery in groupby(prefetched(mapped(), depth=1), key=_delivery_of):
            with SourceChange(self._guard, cursor) as change:
                for window, parts in groupby(delivery, key=lambda part: part.window):
                    self._load_window(change, window, parts, windows)
            cursor = change.cursor
            outcome.rows_received += change.received
            outcome.rows_stored += change.stored
        for drift in windows.drifts:
            ops.record_drift(self._connection, self._guard.run_id, self._code, self._entity, drift)
        self._summarise(windows, outcome)

    def _load_window(
        self, change: SourceChange, window: Window, parts: Iterable[_Part], windows: _WindowLog
    ) -> None:
        """Load a window. One that breaks off changes nothing; what else changes at the same time stays."""
        windows.windows += 1
        if window.note:
            windows.notes.append(f"{self._code} {window.entity}：{window.note}")
        if window.already_loaded and (window.ref_period, window.until) in windows.refused:
            return  # known from this collection only, which did not load it: its error stands
        windows.repeats += window.already_loaded and not window.note
        loader = Loader(self._connection, self._guard.run_id, self._guard.as_of, self._held)
        is_broken = is_loaded = False
        for part in parts:  # the rest of a window that broke off is received, not loaded
            error: Exception | None = part.error
            if not (error or is_broken):
                try:
                    is_loaded = self._load_part(change, loader, part, windows)
                except (SourceError, LoadError) as refusal:
                    error = refusal
            if error:
                is_broken = True
                windows.failed(window, error)
                change.break_off()
        if is_loaded and not is_broken:
            windows.loaded(window)

    def _load_part(self, change: SourceChange, loader: Loader, part: _Part, windows: _WindowLog) -> bool:
        """Load a batch, or move the watermark past an empty window. Returns whether a window's last batch is loaded."""
        greatest = part.batch.landed.manifest["greatest"] if part.batch else None
        cursor = self._source.advance(change.latest, part.window, greatest)
        if part.batch is None:
            change.move(part.window.ref_period, cursor)
            return False
        change.load(loader, part.batch, cursor)
        windows.future_rows += len(part.batch.future_rows)
        return part.batch.ends_window

    def _summarise(self, windows: _WindowLog, outcome: Outcome) -> None:
        if windows.repeats:
            outcome.outcome = "skipped" if windows.repeats == windows.windows else outcome.outcome
            windows.notes.append(
                f"{windows.repeats} 个文件此前已装载，内容相同，未重复装载。/ "
                f"{windows.repeats} files had been loaded before and were skipped"
            )
        if windows.future_rows:
            windows.notes.append(
                f"{self._code} {self._entity}：{windows.future_rows} 行的 {self._mapping.version_column} 晚于统计日，"
                f"按当日变更处理，请平台核对时钟。/ {windows.future_rows} rows are stamped later than the day of the "
                "collection and count as changed on it; ask the platform to check its clock"
            )
        if windows.errors:
            outcome.outcome = "failed"
        outcome.error = "\n".join([*windows.errors.values(), *windows.notes]) or None

    def _compare(self, extraction: Extraction, outcome: Outcome) -> None:
        """D05: the source's count against the warehouse; where they differ, all of the entity is collected anew, once,
        unless they differ because something of it is held.

        ops.count_check keeps the figures that differed, or those that still do.
        """
        if extraction.count_error:
            outcome.outcome, outcome.error = "failed", str(extraction.count_error)
        if extraction.count is None:
            return
        figures, action = (extraction.count, live_count(self._connection, self._code, self._entity)), "none"
        if figures[0] != figures[1] and self._guard.findings:
            action = "still_different"
        elif figures[0] != figures[1]:
            run_id, as_of = self._guard.run_id, self._guard.as_of
            again = Extraction(self._source, self._institution, self._entity, run_id, as_of)
            again.run(None, full=True)
            self._load(again, None, outcome)
            extraction.meter.add(again.meter)
            now = (again.count, live_count(self._connection, self._code, self._entity))
            if now[0] == now[1]:
                action = "full_refresh"
            else:
                action, figures = "still_different", now if now[0] is not None else figures
        self._connection.execute(
            "insert into ops.count_check values (%s, %s, %s, %s, %s, %s) "
            "on conflict (run_id, src_inst_code, entity) do update set source_count = excluded.source_count, "
            "warehouse_count = excluded.warehouse_count, action = excluded.action",
            [self._guard.run_id, self._code, self._entity, *figures, action],
        )
