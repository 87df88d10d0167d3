"""Collect one institution: entities are extracted and landed concurrently, loaded in dependency order, and recorded."""

import logging
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from queue import SimpleQueue
from typing import Any

import psycopg

from yuyan import settings
from yuyan.collect.connect import source as connect
from yuyan.collect.landing import Landed, MandatoryGone, land
from yuyan.collect.prefetch import ahead
from yuyan.collect.source import Meter, PlatformDown, Source, SourceError, Window
from yuyan.decisions import holds
from yuyan.domain import contracts, institutions
from yuyan.domain.institutions import Institution, InstitutionError
from yuyan.load.guard import Guard, Statement
from yuyan.load.loader import Batch, Loader, LoadError, prepare, record_drift
from yuyan.load.versions import live_count

log = logging.getLogger(__name__)


class Extraction:
    """What a worker brings home of one entity, as it comes: (window, landed batch or None, reason why not or None)."""

    def __init__(self) -> None:
        self._arrived: SimpleQueue = SimpleQueue()
        self.meter = Meter()
        self.failed = False
        self.count: int | None = None
        self.count_error: SourceError | None = None
        self.seconds = 0.0

    def bring(self, window: Window, landed: Landed | None = None, error: SourceError | None = None) -> None:
        self.failed |= error is not None
        self._arrived.put((window, landed, error))

    def end(self) -> None:
        self._arrived.put(None)

    def __iter__(self) -> Iterator[tuple[Window, Landed | None, SourceError | None]]:
        return iter(self._arrived.get, None)


@dataclass
class Outcome:
    """How one entity fared: success, failed, skipped (a repeated file) or held (quality.hold). `error` may be a note of a
    success: a bad file that a later one put right.
    """

    entity: str
    outcome: str = "success"
    rows_received: int = 0
    rows_stored: int = 0
    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    error: str | None = None


@dataclass
class _Tale:
    """What became of an entity's windows: errors that stand by period, windows that were refused (period, until), notes,
    drifts, how many there were and were known.
    """

    wrong: dict[str, str] = field(default_factory=dict)
    refused: set[tuple[str, str]] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    drifts: list[dict[str, tuple[str, int]]] = field(default_factory=list)
    windows: int = 0
    repeats: int = 0


def _said_at_once(window: Window) -> object:
    """What a source says at one time: all files of a delivery, or else a window."""
    return window.version if window.mode == "replace" else window


def collect_institution(
    inst_code: str,
    run_id: str,
    as_of: date,
    entities: Sequence[str] | None = None,
    full: bool = False,
    since: str | None = None,
) -> dict[str, Any]:
    """Collect an institution up to now. `entities`: only these; `full`: compare everything with the warehouse; `since`: ask
    again for what came after this cursor (in the source's terms), without moving the watermark back.

    Writes ops.collection_result per entity as it finishes and a total (entity ''). Returns {inst_code, name, outcome, error,
    rows_received, rows_stored, requests, retries, seconds, failed: [entity], held: [entity], skipped: [entity]}. `outcome`
    is failed when the platform as a whole failed or every entity did; an entity that fails or is held does not stop the
    others, and `error` names it.
    """
    known = institutions.load()
    if inst_code not in known:
        raise InstitutionError(
            f"{settings.institutions_dir()}/{inst_code}.yml does not exist; add the institution's file"
        )
    settings.person_key_secret()  # better to fail here than once per entity
    with psycopg.connect(settings.warehouse_dsn(), autocommit=True) as connection:
        return _Collection(known[inst_code], run_id, as_of, full, since, connection).run(entities)


class _Collection:
    """One institution's collection within one run."""

    def __init__(
        self,
        institution: Institution,
        run_id: str,
        as_of: date,
        full: bool,
        since: str | None,
        connection: psycopg.Connection,
    ) -> None:
        self._institution, self._run_id, self._as_of = institution, run_id, as_of
        self._full, self._since, self._connection = full, since, connection
        self._code = institution.inst_code
        self._started = time.monotonic()

    def run(self, entities: Sequence[str] | None) -> dict[str, Any]:
        wanted = [e for e in self._institution.entities if entities is None or e in entities]
        try:
            source = connect(self._institution, self._as_of)
            try:
                source.open()
                self._check_since(source, wanted)
                outcomes = self._entities(source, wanted)
            finally:
                source.close()
        except PlatformDown as error:
            log.warning("%s", error)
            return self._finish([], str(error))
        return self._finish(outcomes, None)

    def _check_since(self, source: Source, wanted: list[str]) -> None:
        """Raise PlatformDown if `since` is no cursor of this platform."""
        try:
            for entity in wanted if self._since is not None else ():
                next(iter(source.windows(entity, self._since, False)), None)
        except (ValueError, TypeError, AttributeError):
            raise PlatformDown(
                f"{self._code} {self._institution.name}：起点游标 {self._since!r} "
                f"不是{self._institution.platform.label}的写法，"
                "请参照 ops.batch.window_from 更正，或不给游标全量重采。/ "
                "since is no cursor of this platform; correct it as ops.batch.window_from has it, or collect in full"
            ) from None

    def _entities(self, source: Source, wanted: list[str]) -> list[Outcome]:
        query = "select entity, cursor_value from ops.watermark where src_inst_code = %s"
        held = dict(self._connection.execute(query, [self._code]).fetchall())
        waiting = holds.open_holds(self._connection, self._code)
        outcomes = []
        with ThreadPoolExecutor(self._institution.platform.concurrency) as pool:
            work = {}
            for entity in wanted:
                found = Extraction()
                cursor = self._since or held.get(entity)
                work[entity] = found, pool.submit(self._extract, source, entity, cursor, self._full, found)
            try:
                for entity, (found, future) in work.items():  # parents before children
                    guard = Guard(
                        self._connection, self._code, entity, self._run_id, self._as_of, waiting.get(entity)
                    )
                    outcomes.append(self._entity(source, guard, found, future, held.get(entity)))
                    self._write(outcomes[-1])
            finally:
                pool.shutdown(cancel_futures=True)
        return outcomes

    def _extract(
        self, source: Source, entity: str, cursor: str | None, full: bool, found: Extraction
    ) -> None:
        """Land every window of an entity; runs in a worker thread."""
        started = time.monotonic()
        try:
            for window in source.windows(entity, cursor, full):
                try:
                    self._land(source, window, found)
                except SourceError as reason:
                    found.bring(window, error=reason)
            if not found.failed:
                try:
                    found.count = source.count(entity, found.meter)
                except SourceError as reason:
                    found.count_error = reason
        finally:
            found.seconds = time.monotonic() - started
            found.end()

    def _land(self, source: Source, window: Window, found: Extraction) -> None:
        """Bring the batches of a window. A file proves itself at its end: nothing of it is brought before."""
        batches: Iterable[Landed] = ()
        if not window.already_loaded:
            contract = contracts.load()[window.entity]
            mapping, pages = self._institution.mapping(contract), source.pages(window, found.meter)
            batches = land(self._institution, contract, mapping, window, pages, self._run_id, self._as_of)
        if window.mode == "replace":
            batches = list(batches)
        nothing = True
        for landed in batches:
            found.bring(window, landed)
            nothing = False
        if nothing:
            found.bring(window)

    def _entity(
        self, source: Source, guard: Guard, found: Extraction, future: Future[None], cursor: str | None
    ) -> Outcome:
        """Load what an entity's worker brings, compare the counts; a failure is recorded, not raised."""
        outcome, started = Outcome(guard.entity), time.monotonic()
        with self._told(outcome):
            self._load(source, guard, found, cursor, outcome)
            future.result()
            if outcome.outcome != "failed":
                self._compare(source, guard, found, outcome)
        with self._told(outcome):  # a hold is recorded whatever happened since
            held = guard.settle(outcome.outcome == "failed", is_whole=self._since is None)
            if held:
                outcome.outcome = "failed" if outcome.outcome == "failed" else "held"
                outcome.error = "\n".join(filter(None, [held, outcome.error]))
        outcome.requests, outcome.retries = found.meter.requests, found.meter.retries
        outcome.seconds = max(found.seconds, time.monotonic() - started)
        return outcome

    @contextmanager
    def _told(self, outcome: Outcome) -> Iterator[None]:
        """An unexpected exception becomes the entity's failure, but when the warehouse has gone: nothing can be recorded
        then, and the task is tried again.
        """
        try:
            yield
        except psycopg.OperationalError:
            raise
        except Exception as error:
            # A defect of ours. Its text may quote a record, so only its kind and where it happened are told.
            where = "".join(traceback.format_tb(error.__traceback__))
            log.error("%s %s: %s\n%s", self._code, outcome.entity, type(error).__name__, where)
            told = (
                f"{self._code} {outcome.entity}：程序意外错误 {type(error).__name__}，详见任务日志。/ "
                f"unexpected {type(error).__name__}; see the task's log"
            )
            outcome.outcome = "failed"
            outcome.error = "\n".join(filter(None, [outcome.error, told]))

    def _load(
        self, source: Source, guard: Guard, found: Extraction, cursor: str | None, outcome: Outcome
    ) -> None:
        """Load the batches in order; the watermark moves with the last one of a window, never past a failure or a hold.

        A period's error is only a note once a later file has replaced it.
        """
        contract = contracts.load()[outcome.entity]
        mapping = self._institution.mapping(contract)

        def mapped() -> Iterator[tuple[Window, Batch | None, SourceError | None]]:
            for window, landed, error in found:
                yield window, landed and prepare(landed, contract, mapping), error

        tale = _Tale()
        for _, parts in groupby(ahead(mapped(), depth=1), key=lambda part: _said_at_once(part[0])):
            with guard.statement(cursor) as statement:
                self._state(source, statement, parts, tale)
            cursor = statement.cursor
            outcome.rows_received += statement.received
            outcome.rows_stored += statement.stored
        for drift in tale.drifts:
            record_drift(self._connection, self._run_id, self._code, outcome.entity, drift)
        if tale.repeats:
            outcome.outcome = "skipped" if tale.repeats == tale.windows else outcome.outcome
            tale.notes.append(
                f"{tale.repeats} 个文件此前已装载，内容相同，未重复装载。/ "
                f"{tale.repeats} files had been loaded before and were skipped"
            )
        if tale.wrong:
            outcome.outcome = "failed"
        outcome.error = "\n".join([*tale.wrong.values(), *tale.notes]) or None

    def _state(
        self,
        source: Source,
        statement: Statement,
        parts: Iterable[tuple[Window, Batch | None, SourceError | None]],
        tale: "_Tale",
    ) -> None:
        """Load what a source says at one time. A window that breaks off changes nothing; a delivery's other files stay."""
        window, loader, broken = None, None, False
        for part_of, batch, error in parts:
            if part_of is not window:
                window, broken = part_of, False
                loader = Loader(self._connection, self._run_id, self._as_of)
                tale.windows += 1
            what = window.ref_period, window.until
            if window.already_loaded and what in tale.refused:
                continue  # known from this collection only, which did not load it: its error stands
            tale.repeats += window.already_loaded
            if isinstance(error, MandatoryGone):
                tale.drifts.append(error.drift)
            try:
                if error:
                    raise error
                greatest = batch.landed.manifest["greatest"] if batch else None
                advanced = source.advance(statement.latest, window, greatest)
                if batch is None:
                    statement.move(window.ref_period, advanced)
                elif not broken:
                    statement.load(loader, batch, advanced)
            except (SourceError, LoadError) as reason:
                tale.wrong[window.ref_period], broken = str(reason), True
                tale.refused.add(what)
                statement.break_off()
                continue
            is_loaded = batch and batch.ends_window and not broken
            if is_loaded and (fixed := tale.wrong.pop(window.ref_period, None)):
                tale.notes.append(f"{fixed}（已由后续交付更正 / put right by a later delivery）")

    def _compare(self, source: Source, guard: Guard, found: Extraction, outcome: Outcome) -> None:
        """D05: the source's count against the warehouse; where they differ, all of the entity is collected anew, once,
        unless they differ because something of it is held.

        ops.count_check keeps the figures that differed, or those that still do.
        """
        if found.count_error:
            outcome.outcome, outcome.error = "failed", str(found.count_error)
        if found.count is None:
            return
        figures, action = (found.count, live_count(self._connection, self._code, outcome.entity)), "none"
        if figures[0] != figures[1] and guard.found:
            action = "still_different"
        elif figures[0] != figures[1]:
            again = Extraction()
            self._extract(source, outcome.entity, None, True, again)
            self._load(source, guard, again, None, outcome)
            found.meter.add(again.meter)
            now = (again.count, live_count(self._connection, self._code, outcome.entity))
            if now[0] == now[1]:
                action = "full_refresh"
            else:
                action, figures = "still_different", now if now[0] is not None else figures
        self._connection.execute(
            "insert into ops.count_check values (%s, %s, %s, %s, %s, %s) "
            "on conflict (run_id, src_inst_code, entity) do update set source_count = excluded.source_count, "
            "warehouse_count = excluded.warehouse_count, action = excluded.action",
            [self._run_id, self._code, outcome.entity, *figures, action],
        )

    def _finish(self, outcomes: list[Outcome], down: str | None) -> dict[str, Any]:
        failed = [o for o in outcomes if o.outcome == "failed"]
        held = [o for o in outcomes if o.outcome == "held"]
        total = Outcome(
            "",
            "failed" if down or (failed and len(failed) == len(outcomes)) else "success",
            sum(o.rows_received for o in outcomes),
            sum(o.rows_stored for o in outcomes),
            sum(o.requests for o in outcomes),
            sum(o.retries for o in outcomes),
            time.monotonic() - self._started,
            down or "\n".join(o.error for o in [*failed, *held]) or None,
        )
        self._write(total)
        return {
            "inst_code": self._code,
            "name": self._institution.name,
            **{k: v for k, v in total.__dict__.items() if k != "entity"},
            "failed": [o.entity for o in failed],
            "held": [o.entity for o in held],
            "skipped": [o.entity for o in outcomes if o.outcome == "skipped"],
        }

    def _write(self, o: Outcome) -> None:
        """Record an outcome at once, so that progress can be watched. A task that is tried again adds to the figures."""
        sums = ("rows_received", "rows_stored", "requests", "retries", "seconds")
        self._connection.execute(
            "insert into ops.collection_result as held (run_id, src_inst_code, entity, outcome, error, "
            f"{', '.join(sums)}) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
            "on conflict (run_id, src_inst_code, entity) do update set outcome = excluded.outcome, "
            f"error = excluded.error, {', '.join(f'{name} = held.{name} + excluded.{name}' for name in sums)}",
            [self._run_id, self._code, o.entity, o.outcome, o.error, *(getattr(o, name) for name in sums)],
        )
