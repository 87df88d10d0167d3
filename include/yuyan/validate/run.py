"""The validate stage: judge every entity once those are judged whose accepted rows its rules look up, two at a time."""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from graphlib import TopologicalSorter
from queue import SimpleQueue
from typing import Any

import psycopg

from yuyan import settings
from yuyan.decisions import problems
from yuyan.domain import catalogue as rule_catalogue
from yuyan.domain import structural
from yuyan.domain.catalogue import Catalogue
from yuyan.validate import (
    causes,
    docs,
    isolation,
    record,
    rulebook,
    scope,
    standing,
    suite,
    unjudged,
    worktable,
)  # fmt: skip
from yuyan.validate.scope import Arrivals
from yuyan.validate.work import Work

LOCK = 7_220_261
"""Key of the advisory lock: one validation at a time."""
WORKERS = 2
"""Entities judged at once, each in a connection of its own; the server needs as many cores."""

log = logging.getLogger(__name__)


def validate(run_id: str, as_of: date, entities: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    """Judge what is not judged yet; returns per entity judged, accepted, quarantined, healed, rules, failed_rules, seconds.

    `entities` restricts the judgement; the others catch up in the next run. Safe to repeat: a second call with the same
    run judges nothing twice, and a killed one is taken up where it stopped. A row that breaks the judgement is kept out of
    it (`isolated` says how many); an entity that cannot be judged at all (`error` says why) stays as it was and is a problem
    of the institutions whose rows wait, while the others are judged. Raises RuleError for a bad rule file, KeyError for an
    unknown entity, psycopg.OperationalError when the warehouse is gone.

    >>> validate("run-1", date(2026, 10, 15), entities=["student"])["student"]["quarantined"]
    12
    """
    rules = rule_catalogue.load()
    if unknown := set(entities or ()) - set(rules.order):
        raise KeyError(f"unknown entities {sorted(unknown)}; known are {', '.join(rules.order)}")
    order = [e for e in rules.order if entities is None or e in entities]
    with psycopg.connect(settings.warehouse_dsn("validate"), autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", [LOCK])
        standing.show_nothing(connection)
        rulebook.register(connection, rules, run_id)
        isolation.keep_out(connection, {})
        broken: dict[str, Exception] = {}
        arrivals: dict[str, Arrivals] = {}
        with connection.transaction():
            for entity in order:
                with _isolated(connection, entity, broken), connection.transaction():
                    arrivals[entity] = scope.arrive(connection, rules, entity, run_id, as_of)
        summaries = _judged(rules, run_id, as_of, arrivals, broken)
        summaries |= {entity: {"error": isolation.text(error)} for entity, error in broken.items()}
        causes.find(connection, rules, run_id)
        errors = {entity: s["error"] for entity, s in summaries.items() if "error" in s}
        waiting = unjudged.note(connection, errors, summaries.keys() - errors, run_id)
        problems.settle_results(connection, run_id, as_of, waiting, unjudged.rows(connection))
    return summaries


def _judged(
    rules: Catalogue, run_id: str, as_of: date, arrivals: dict[str, Arrivals], broken: dict[str, Exception]
) -> dict[str, dict[str, Any]]:
    """Judge the entities, parents before children; what breaks one of them goes into `broken`."""
    summaries: dict[str, dict[str, Any]] = {}
    free: SimpleQueue[psycopg.Connection] = SimpleQueue()
    recording, is_over = threading.Lock(), threading.Event()

    def judge(entity: str) -> None:
        connection = free.get()
        try:
            if connection.closed or is_over.is_set():  # whoever lost it says why
                return
            with _isolated(connection, entity, broken):
                of_entity = _Judge(
                    connection, recording, is_over, batch, rules, entity, run_id, as_of, arrivals[entity]
                )
                summaries[entity] = of_entity.run()
        finally:
            free.put(connection)

    order = TopologicalSorter({entity: rules.parents(entity) & arrivals.keys() for entity in arrivals})
    order.prepare()
    with ExitStack() as stack:
        batch = stack.enter_context(suite.batches())
        dsn = settings.warehouse_dsn("validate")
        connections = [stack.enter_context(psycopg.connect(dsn, autocommit=True)) for _ in range(WORKERS)]
        for connection in connections:
            isolation.keep_out(connection, {})
            free.put(connection)
        pool = stack.enter_context(ThreadPoolExecutor(WORKERS))
        waiting: dict[Future[None], str] = {}
        try:
            while order.is_active():
                waiting |= {pool.submit(judge, entity): entity for entity in order.get_ready()}
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    future.result()
                    order.done(waiting.pop(future))
        except BaseException:  # the warehouse is gone, or the task's time is over: nothing more is begun
            is_over.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for connection in connections:
                with suppress(psycopg.Error):
                    connection.cancel_safe()
            raise
    return {entity: summaries[entity] for entity in arrivals if entity in summaries}


@contextmanager
def _isolated(connection: psycopg.Connection, entity: str, broken: dict[str, Exception]) -> Iterator[None]:
    """An exception of the block is this entity's alone, unless the connection is gone, which is everybody's."""
    try:
        yield
    except Exception as error:
        if connection.closed:
            raise
        log.exception("%s: not judged", entity)
        broken[entity] = error


@dataclass(frozen=True)
class _Judge:
    """The judgement of one entity in one run. `recording` is held by who runs a suite and records, one at a time, and nobody
    begins that once the run `is_over`."""

    connection: psycopg.Connection
    recording: threading.Lock
    is_over: threading.Event
    batch: Any
    rules: Catalogue
    entity: str
    run_id: str
    as_of: date
    arrivals: Arrivals

    def run(self) -> dict[str, Any]:
        """Judge; where rows break the judgement, find them and judge again without them. Returns the summary."""
        started = time.monotonic()
        summary: dict[str, Any] = dict.fromkeys(("judged", "accepted", "quarantined", "healed"), 0)
        summary |= {"rules": len(self.rules.rules[self.entity]), "failed_rules": 0}
        if self.arrivals.unjudged or not scope.is_idle(self.connection, self.entity, self.run_id):
            try:
                summary |= self._judged()
            except Exception as error:
                if self.connection.closed or not isolation.is_of_rows(error):
                    raise
                summary |= self._without_those_that_break_it(error)
        self.connection.execute(f"drop table if exists {Work(self.entity).newest}")
        summary["seconds"] = round(time.monotonic() - started, 3)
        log.info("%s: %s", self.entity, summary)
        return summary

    def _judged(self) -> dict[str, Any]:
        connection, entity, of_entity = self.connection, self.entity, self.rules.rules[self.entity]
        with connection.transaction():
            judged = self._work()
        with self.recording:
            if self.is_over.is_set():
                raise RuntimeError("the run was given up")
            with standing.shown(connection, Work(entity)):
                result = suite.run(self.batch, entity, of_entity)
            counts = record.judgement(
                connection, self.rules, entity, self.run_id, self.as_of, self.arrivals, result
            )
            docs.keep(result, self.run_id, self.as_of)
        _analyze(connection, self.rules, entity, judged)
        failed = sum(not one.success for one in result.results)
        return counts | {"judged": judged, "accepted": judged - counts["quarantined"], "failed_rules": failed}

    def _work(self, only: Sequence[int] | None = None) -> int:
        """Fill the work tables; returns the rows judged."""
        connection, work, of_entity = self.connection, Work(self.entity), self.rules.rules[self.entity]
        scope.select(connection, work, self.run_id, only)
        scope.find_taken_keys(connection, work)
        scope.find_latest(connection, self.rules, work)
        judged = worktable.build(connection, work, of_entity, self.as_of)
        standing.merge(connection, work, len(of_entity), self.arrivals.is_whole)
        return judged

    def _without_those_that_break_it(self, error: Exception) -> dict[str, Any]:
        """Those that did so before, and where that is not enough, those that do so now. Raises `error` when it is no row."""
        rows = self._scope()
        rule_id = structural.isolated_id(self.entity)
        judged = {raw_id for _, raw_id in rows}
        before = isolation.known(self.connection, self.entity, rule_id)
        for find in (lambda: before, lambda: isolation.find(rows, self._error)):
            isolation.keep_out(self.connection, {})
            if isolated := {r: said for r, said in find().items() if r in judged}:
                isolation.keep_out(self.connection, isolated)
                try:
                    found = self._judged() | {"isolated": len(isolated)}
                except Exception as again:
                    if self.connection.closed or not isolation.is_of_rows(again):
                        raise
                    log.warning("%s: %s rows kept out are not enough: %s", self.entity, len(isolated), again)
                else:
                    log.warning(
                        "%s: %s rows kept out of the judgement: %s", self.entity, len(isolated), error
                    )
                    return found
                finally:
                    isolation.keep_out(self.connection, {})
        raise error

    def _scope(self) -> list[tuple[str, int]]:
        """(src_inst_code, raw_id) of the rows to judge, by institution."""
        with self.connection.transaction(force_rollback=True):
            work = Work(self.entity)
            scope.select(self.connection, work, self.run_id)
            query = f"select src_inst_code, raw_id from {work.scope} order by 1, 2"
            return self.connection.execute(query).fetchall()

    def _error(self, only: Sequence[int]) -> Exception | None:
        """What these rows alone do to their judgement and its record. Raises what is not theirs."""
        try:
            with self.recording, self.connection.transaction(force_rollback=True):
                self._work(only)
                arguments = (self.rules, self.entity, self.run_id, self.as_of, self.arrivals)
                record.judgement(self.connection, *arguments, None)
        except Exception as error:
            if self.connection.closed or not isolation.is_of_rows(error):
                raise
            return error
        return None


def _analyze(connection: psycopg.Connection, rules: Catalogue, entity: str, judged: int) -> None:
    """Fresh statistics of what children look up, when a good part of the table is new."""
    rows = connection.execute(
        "select reltuples from pg_class where oid = %s::regclass", [f"accepted.{entity}"]
    ).fetchone()[0]
    columns = sorted(frozenset().union(*(x.used for x in rules.dependents(entity, "accepted"))))
    if columns and judged > max(rows, 0) / 10:
        connection.execute(f"analyze accepted.{entity} ({', '.join(columns)})")
