"""What the DAGs do besides calling a stage: open and close a run in `ops`, time its stages, find its `as_of`.

Light on purpose: DAG files import this module, so nothing heavy is imported at its top.
"""

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from yuyan import settings

log = logging.getLogger(__name__)

BOOK = "collect"
"""The login that keeps the book of runs, `ops.run` and `ops.stage_result`, whatever stage is at work; with it the line says
how it is (`line_state`), too, so that who books or watches needs no other."""
AFTER_ALL = "(select max(greatest(started_at, ended_at)) + interval '1 microsecond' from ops.run)"
"""No run starts or ends before another that was there: everything asks for the latest, and a clock may be put back."""
METRICS = ("statsd_on", "statsd_datadog_enabled", "otel_on")
"""Airflow's settings that switch its metrics on."""
CHONGQING = ZoneInfo("Asia/Shanghai")


SIMULATED_YEARS = 10
"""How far the simulated calendar may go from its first day."""


class FutureDay(ValueError):
    """A run was asked for a day that has not come."""


class BadRequest(ValueError):
    """A run was asked for institutions or entities that there are not."""


class CollectionFailed(RuntimeError):
    """An institution's data could not be collected; the message names it and says what to do."""


def as_of(param: str | None, logical_date: datetime | None, run_after: datetime) -> date:
    """The date a run stands for: the parameter if given, else its logical date (else its start) in Chongqing.

    Raises FutureDay for one after the day of `run_after`, however it was given: Airflow starts a run by `run_after` alone,
    whatever its logical date. The simulated calendar may run ahead of the clock, within SIMULATED_YEARS.
    """
    last = today = run_after.astimezone(CHONGQING).date()
    day = date.fromisoformat(param) if param else (logical_date or run_after).astimezone(CHONGQING).date()
    if settings.simulated_mark():
        first = settings.FIRST_AS_OF
        last = max(today, first.replace(year=first.year + SIMULATED_YEARS))
    if day > last:
        raise FutureDay(
            f"统计日期 {day} 晚于 {last}，那一天还没有数据：请改为 {last} 或以前。/ as_of lies in the future"
        )
    return day


def open_run(run_id: str, kind: str, day: date) -> None:
    """Record that a run (`collect`, `warehouse` or `replay`) works for `day`; a repeated run is running again.

    >>> open_run("collect-2026-10-15", "collect", date(2026, 10, 15))
    """
    with psycopg.connect(settings.warehouse_dsn(BOOK)) as connection:
        _open(connection, run_id, kind, day)


def _open(connection: psycopg.Connection, run_id: str, kind: str, day: date) -> None:
    connection.execute(
        "insert into ops.run (run_id, kind, as_of, started_at) "
        f"select %s, %s, %s, greatest(clock_timestamp(), {AFTER_ALL}) on conflict (run_id) do update "
        "set as_of = excluded.as_of, state = 'running', ended_at = null",
        [run_id, kind, day],
    )


def close_run(run_id: str, state: str) -> None:
    """Record how a run ended (`success`, `partial` or `failed`). A run that has failed stays failed until it is opened
    again."""
    with psycopg.connect(settings.warehouse_dsn(BOOK)) as connection:
        connection.execute(
            f"update ops.run set state = %s, ended_at = greatest(clock_timestamp(), {AFTER_ALL}) where run_id = %s "
            "and (state = 'running' or %s = 'failed')",
            [state, run_id, state],
        )
    send_gauges()


def send_gauges() -> None:
    """Send what `yuyan monitor` serves by Airflow's own metrics, where its `[metrics]` are switched on. It stops no run.

    Names have the institution in them, since StatsD as it is has no labels: `yuyan.institution_fresh.10611`.
    """
    from airflow.sdk.configuration import conf

    if not any(conf.getboolean("metrics", name, fallback=False) for name in METRICS):
        return
    from airflow.sdk.observability import stats

    from yuyan import line_state

    try:
        for gauge in line_state.gauges(settings.warehouse_dsn(BOOK)):
            stats.gauge(".".join(("yuyan", gauge.name, *gauge.labels.values())), gauge.value)
    except psycopg.Error as error:
        log.warning("no gauges were sent: %s", error)


def day_of(run_id: str) -> date:
    """The `as_of` of a run. Raises LookupError when the run was never opened."""
    with psycopg.connect(settings.warehouse_dsn(BOOK)) as connection:
        row = connection.execute("select as_of from ops.run where run_id = %s", [run_id]).fetchone()
    if row is None:
        raise LookupError(f"run {run_id} is not in ops.run; clear its first task, which records it")
    return row[0]


@contextmanager
def stage(run_id: str, name: str) -> Iterator[dict[str, Any]]:
    """Time one stage of a run and store seconds and whatever the caller puts into the dictionary it gets.

    A failed run of which a task was cleared is running again.
    """
    detail: dict[str, Any] = {}
    reopen(run_id)
    started = time.monotonic()
    yield detail
    seconds = time.monotonic() - started
    with psycopg.connect(settings.warehouse_dsn(BOOK)) as connection:
        connection.execute(
            "insert into ops.stage_result (run_id, stage, seconds, detail) values (%s, %s, %s, %s) "
            "on conflict (run_id, stage) do update set seconds = excluded.seconds, detail = excluded.detail",
            [run_id, name, round(seconds, 3), json.dumps(detail, ensure_ascii=False, default=str)],
        )


def on_failure(context: Any) -> None:
    """Airflow callback: a task of the run has failed for good, so the run has."""
    close_run(context["dag_run"].run_id, "failed")


def open_warehouse_run(run_id: str, param: str | None, events: Iterable[Any], run_after: datetime) -> date:
    """Record that a `warehouse` run works, and return its day: the parameter if given, else the newest day of the
    triggering asset events, of the collections and replays that have ended and of the runs before
    (the date of `run_after` if none).

    Events alone do not tell: those that arrive while a run waits its turn start no run of their own and may be left out
    of its events. What they brought is judged by whichever run comes next, so its day is the newest.
    """
    with psycopg.connect(settings.warehouse_dsn(BOOK)) as connection:
        # Whatever ends from here on ends after this run's start, so that `left_over` sees all that is not seen here.
        connection.execute("lock table ops.run in share row exclusive mode")
        newest = connection.execute(
            "select max(as_of) from ops.run where kind = 'warehouse' or state in ('success', 'partial')"
        ).fetchone()[0]
        days = [date.fromisoformat(event.extra["as_of"]) for event in events if "as_of" in event.extra]
        day = as_of(param, None, run_after)
        if not param:
            day = max([*days, newest] if newest else days, default=day)
        _open(connection, run_id, "warehouse", day)
    return day


def left_over(run_id: str) -> date | None:
    """The newest day of what a `warehouse` run could not know: collected since it began and not judged, or of a newer day.

    None when the run has left nothing. What was there when it began is not counted, so that a run that cannot judge it
    does not start another that cannot either.
    """
    with psycopg.connect(settings.warehouse_dsn(BOOK)) as connection:
        return connection.execute(
            "with this as (select as_of, started_at from ops.run where run_id = %s) "
            "select greatest((select max(r.as_of) from ops.run r, this where r.kind <> 'warehouse' "
            "and r.state in ('success', 'partial') and r.ended_at > this.started_at and r.as_of > this.as_of), "
            "(select max(b.as_of) from this, ops.batch b left join ops.run r using (run_id) "
            "left join quality.judged j on j.entity = b.entity and j.batch_id = b.batch_id "
            "where b.loaded_at > this.started_at and b.rows_stored + b.rows_tombstoned > 0 and j.batch_id is null "
            "and r.state is distinct from 'running'))",
            [run_id],
        ).fetchone()[0]


def follow_up(run_id: str) -> dict[str, str]:
    """What the asset event says by which a `warehouse` run starts another. Skips the task when nothing is left over.

    It is the last task of a run: one that is still open has not published, whatever branch opened it again.
    """
    with psycopg.connect(settings.warehouse_dsn(BOOK)) as connection:
        connection.execute(
            "update ops.run set state = 'failed', ended_at = clock_timestamp() where run_id = %s and state = 'running'",
            [run_id],
        )
    if (day := left_over(run_id)) is None:
        from airflow.sdk.exceptions import AirflowSkipException

        raise AirflowSkipException("没有未校验的数据 / nothing is left to judge")
    return {"run_id": run_id, "as_of": day.isoformat()}


def run_stage(name: str, work: Callable[[str, date], dict[str, Any]], run_id: str) -> None:
    """Do a stage's work for an open run and its day; what it returns is kept with its time."""
    with stage(run_id, name) as detail:
        detail |= work(run_id, day_of(run_id))


def build_layer(name: Any, run_id: str, is_last: bool) -> None:
    """Build one dbt layer for an open run; the last one is published, which ends the run well.

    Raises TransformFailed when a node failed."""
    from yuyan import transform

    day = day_of(run_id)
    with stage(run_id, name) as detail:
        transform.run_layer(name, run_id, day)
        if is_last:
            from yuyan.changes.run import publish

            detail["publication"] = publish(run_id, day)
    if is_last:
        from yuyan.disclosure import run as disclosure

        with stage(run_id, "disclosure") as detail:
            detail |= disclosure.publish(run_id, day)
        close_run(run_id, "success")


def visits(institutions: Sequence[str], entities: Sequence[str], nobody: bool = False) -> list[str]:
    """Codes of the institutions that a run visits: those named, else all; none if `nobody` need be asked.

    Raises BadRequest that lists every code without a file, every name that is no entity, and every named institution that
    supplies none of the named entities.

    >>> visits(["10611"], ["student"])
    ['10611']
    """
    from yuyan.domain import contracts
    from yuyan.domain import institutions as files

    known, codes = contracts.load(), files.codes()
    wrong = [f"单位 {code}（没有 {code}.yml）" for code in institutions if code not in codes]
    wrong += [f"实体 {entity}" for entity in entities if entity not in known]
    if not wrong and entities:
        wrong = [
            f"单位 {code} 不报送 {'、'.join(entities)}"
            for code in institutions
            if not set(entities) & files.owned(code).keys()
        ]
    if wrong:
        raise BadRequest(
            f"参数有误，本次运行没有开始：{'；'.join(wrong)}。请核对单位代码和实体名后重新触发。/ "
            "no such institution or entity, or none of its own; nothing was done"
        )
    if nobody:
        return []
    owners = [code for code in codes if not entities or set(entities) & files.owned(code).keys()]
    return list(institutions) or owners


def collect(
    inst_code: str, run_id: str, entities: Sequence[str] | None, full: bool, since: str | None = None
) -> dict[str, Any]:
    """Collect one institution for an open run; arguments as of `collect_institution`.

    Raises CollectionFailed when its platform as a whole failed."""
    from yuyan.load.run import collect_institution

    result = collect_institution(inst_code, run_id, day_of(run_id), entities, full=full, since=since)
    if result["outcome"] == "failed":
        raise CollectionFailed(f"{inst_code}：{result['error']}")
    return result


def redo(
    mode: str, inst_code: str, run_id: str, entities: Sequence[str] | None, since: str | None = None
) -> dict[str, Any]:
    """One institution's part of a replay: `remap` landed batches, or `recollect` all or what came after a cursor."""
    if mode == "recollect":
        return collect(inst_code, run_id, entities, full=not since, since=since)
    from yuyan.load import replay

    return replay.remap(inst_code, run_id, day_of(run_id), entities)


def label_of(inst_code: str, result: dict[str, Any] | None = None) -> str:
    """What Airflow's grid calls an institution's task: code and name, and what of it failed or is held."""
    from yuyan.domain import institutions

    parts = [
        f"{word}：{'、'.join(result[name])}"
        for name, word in (("failed", "失败"), ("held", "暂缓"))
        if result and result.get(name)
    ]
    name = institutions.label(inst_code)
    return f"{name}（部分完成，{'；'.join(parts)}）" if parts else name


def reopen(run_id: str) -> None:
    """A failed run works again, since a task of it was cleared: how it ended is decided anew."""
    with psycopg.connect(settings.warehouse_dsn(BOOK)) as connection:
        connection.execute(
            "update ops.run set state = 'running', ended_at = null where run_id = %s and state = 'failed'",
            [run_id],
        )


def state_of(run_id: str) -> str:
    """How a run ended; of one that still works, `partial` if an institution or an entity of it failed or is held, else
    `success`."""
    with psycopg.connect(settings.warehouse_dsn(BOOK)) as connection:
        state, faults = connection.execute(
            "select (select state from ops.run where run_id = %(run)s), (select count(*) from ops.collection_result "
            "where run_id = %(run)s and outcome in ('failed', 'partial', 'held'))",
            {"run": run_id},
        ).fetchone()
    if state != "running":
        return state
    return "partial" if faults else "success"


def finish_collection(run_id: str, expected: Sequence[str]) -> None:
    """Close a collection: log one alert for all institutions that are missing and entities that are held, store the stage,
    set the run's state.

    Raises CollectionFailed when nobody delivered; one institution's failure is its own.
    """
    if not expected:
        raise CollectionFailed(
            f"采集 {run_id} 没有计划任何单位：请 Clear 任务 plan。/ no institution was planned"
        )
    reopen(run_id)
    with psycopg.connect(settings.warehouse_dsn(BOOK)) as connection:
        totals = connection.execute(
            "select src_inst_code, outcome, rows_received, rows_stored, error from ops.collection_result "
            "where run_id = %s and entity = ''",
            [run_id],
        ).fetchall()
        partial = connection.execute(
            "select src_inst_code, entity, outcome, error from ops.collection_result where run_id = %s and entity <> '' "
            "and outcome in ('failed', 'held') order by 1, 2",
            [run_id],
        ).fetchall()
        total_of = {code: (outcome, error) for code, outcome, _, _, error in totals}
        missing = {
            code: total_of[code][1] if code in total_of else "没有结果，任务未能开始"
            for code in expected
            if total_of.get(code, ("failed",))[0] == "failed"
        }
        detail = {
            "institutions": len(expected),
            "failed": sorted(missing),
            "failed_entities": [
                f"{code} {entity}"
                for code, entity, outcome, _ in partial
                if outcome == "failed" and code not in missing
            ],
            "held_entities": [
                f"{code} {entity}" for code, entity, outcome, _ in partial if outcome == "held"
            ],
            "rows_received": sum(row[2] for row in totals),
            "rows_stored": sum(row[3] for row in totals),
        }
        connection.execute(
            "insert into ops.stage_result "
            "select run_id, 'collect', greatest(0, extract(epoch from clock_timestamp() - started_at)), %s "
            "from ops.run where run_id = %s "
            "on conflict (run_id, stage) do update set seconds = excluded.seconds, detail = excluded.detail",
            [json.dumps(detail, ensure_ascii=False), run_id],
        )
    state = "partial" if missing or partial or any(row[1] == "partial" for row in totals) else "success"
    close_run(run_id, "failed" if len(missing) == len(expected) else state)
    lines = [f"{code}：{error}" for code, error in sorted(missing.items())]
    lines += [
        f"{code} {entity}：{error}"
        for code, entity, outcome, error in partial
        if outcome == "held" or code not in missing
    ]
    if lines:
        waits = len(detail["held_entities"])
        head = (
            f"采集 {run_id}：{len(expected)} 个单位中 {len(missing)} 个未完成，{waits} 个实体暂缓、等待决定，"
            "沿用其上一次采集的数据；其余不受影响。"
        )
        message = "\n".join([head, *lines])
        if len(missing) == len(expected):
            raise CollectionFailed(message)
        log.error(message)
