"""Collect one institution: entities are extracted and landed concurrently, loaded in dependency order, and recorded."""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import psycopg

from yuyan import settings
from yuyan.collect.connect import source as connect
from yuyan.collect.source import PlatformDown, Source
from yuyan.decisions import holds
from yuyan.domain import institutions
from yuyan.domain.institutions import Institution, InstitutionError
from yuyan.load.entity_load import EntityLoad
from yuyan.load.extraction import Extraction
from yuyan.load.guard import Guard
from yuyan.load.outcome import Outcome

log = logging.getLogger(__name__)


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
    is failed when the platform as a whole failed or every entity did, partial when an entity failed or is held or a delivery
    could not be read: none of these stops the others, and `error` names them. Raises InstitutionError for an institution
    without a file.

    >>> collect_institution("10611", "run-1", date(2026, 10, 15), entities=["student"])["outcome"]
    'success'
    """
    known = institutions.load()
    if inst_code not in known and inst_code not in known.refused:
        raise InstitutionError(
            f"{settings.institutions_dir()}/{inst_code}.yml does not exist; add the institution's file"
        )
    settings.person_key_secret()  # better to fail here than once per entity
    with psycopg.connect(settings.warehouse_dsn("collect"), autocommit=True) as connection:
        if inst_code in known.refused:
            return _refused(connection, inst_code, run_id, str(known.refused[inst_code]))
        return _Collection(known[inst_code], run_id, as_of, full, since, connection).run(entities)


def _refused(connection: psycopg.Connection, inst_code: str, run_id: str, error: str) -> dict[str, Any]:
    """Record that an institution's file, or its product's profile, cannot be used: that institution's failure alone."""
    message = f"{inst_code}：单位或平台配置文件不可用，请更正：{error} / correct the file"
    total = Outcome("", "failed", error=message)
    total.record(connection, run_id, inst_code)
    figures = {k: v for k, v in total.__dict__.items() if k != "entity"}
    return {"inst_code": inst_code, "name": inst_code, **figures, "failed": [], "held": [], "skipped": []}


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
        if not self._institution.entities:
            return self._finish([], self._unmapped())
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
        return self._finish(outcomes, None, source.complaints)

    def _unmapped(self) -> str:
        return (
            f"{self._code} {self._institution.name}：{self._institution.path.name} 没有说明任何实体（entities），未采集："
            f"先运行 yuyan check {self._code}，它给出建议。/ the file maps no entity; `yuyan check {self._code}` proposes "
            "a map"
        )

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
        """Extract all entities concurrently and load them one after another, parents before children."""
        query = "select entity, cursor_value from ops.watermark where src_inst_code = %s"
        cursors = dict(self._connection.execute(query, [self._code]).fetchall())
        open_holds, due = holds.open_holds(self._connection, self._code), self._due()
        outcomes = []
        with ThreadPoolExecutor(self._institution.platform.concurrency) as pool:
            work = {}
            for entity in wanted:
                extraction = Extraction(source, self._institution, entity, self._run_id, self._as_of)
                cursor = self._since or cursors.get(entity)
                full = self._full or (self._since is None and entity in due)
                work[entity] = extraction, pool.submit(extraction.run, cursor, full)
            try:
                for entity, (extraction, future) in work.items():
                    guard = Guard(
                        self._connection,
                        self._code,
                        entity,
                        self._run_id,
                        self._as_of,
                        open_holds.get(entity),
                    )
                    load = EntityLoad(self._institution, source, guard, is_whole=self._since is None)
                    outcomes.append(load.run(extraction, future, cursors.get(entity)))
                    outcomes[-1].record(self._connection, self._run_id, self._code)  # progress can be watched
            finally:
                pool.shutdown(cancel_futures=True)
        return outcomes

    def _due(self) -> set[str]:
        """Entities of which the last complete listing is `compare_days` old: their keys, versions and content are
        compared as a whole, since a window shows only what the source says has changed."""
        query = (
            "select entity from ops.batch where src_inst_code = %s and mode = 'full' "
            "group by entity having max(as_of) <= %s"
        )
        latest = self._as_of - timedelta(days=self._institution.platform.compare_days)
        return {entity for (entity,) in self._connection.execute(query, [self._code, latest])}

    def _finish(
        self, outcomes: list[Outcome], down: str | None, complaints: Sequence[str] = ()
    ) -> dict[str, Any]:
        failed = [o for o in outcomes if o.outcome == "failed"]
        on_hold = [o for o in outcomes if o.outcome == "held"]
        outcome = "partial" if failed or on_hold or complaints else "success"
        total = Outcome(
            "",
            "failed" if down or (failed and len(failed) == len(outcomes)) else outcome,
            sum(o.rows_received for o in outcomes),
            sum(o.rows_stored for o in outcomes),
            sum(o.requests for o in outcomes),
            sum(o.retries for o in outcomes),
            time.monotonic() - self._started,
            down or "\n".join([*complaints, *(o.error for o in [*failed, *on_hold])]) or None,
        )
        total.record(self._connection, self._run_id, self._code)
        return {
            "inst_code": self._code,
            "name": self._institution.name,
            **{k: v for k, v in total.__dict__.items() if k != "entity"},
            "failed": [o.entity for o in failed],
            "held": [o.entity for o in on_hold],
            "skipped": [o.entity for o in outcomes if o.outcome == "skipped"],
        }
