"""What a run could not judge, in the words of a problem: rows that break the judgement, and whole entities.

An entity that could not be judged (quality.unjudged) keeps its accepted rows, and its batches wait.
Each institution whose rows wait gets a problem that names entity, batches and rows; the next judgement ends it.
"""

from collections.abc import Collection, Mapping

import psycopg

from yuyan import settings
from yuyan.decisions.problems import Finding
from yuyan.domain import contracts, structural

NAMED = 5
"""Batches that a problem names."""


def note(
    connection: psycopg.Connection, errors: Mapping[str, str], settled: Collection[str], run_id: str
) -> list[Finding]:
    """Record which entities (entity -> error) this run could not judge; returns the findings about all that still wait.

    `settled`: those of which nothing is left to judge. An entity that the run did not look at keeps its entry.
    """
    with connection.transaction():
        connection.execute("delete from quality.unjudged where entity = any(%s)", [list(settled)])
        for entity, error in errors.items():
            connection.execute(
                "insert into quality.unjudged (entity, run_id, error) values (%s, %s, %s) "
                "on conflict (entity) do update set run_id = excluded.run_id, error = excluded.error",
                [entity, run_id, error],
            )
    waiting = connection.execute(
        "select u.entity, u.error, b.src_inst_code, array_agg(b.batch_id order by b.loaded_at, b.batch_id) as batches, "
        "sum(b.rows_stored)::bigint as rows from quality.unjudged u left join ops.batch b on b.entity = u.entity "
        "and not exists (select 1 from quality.judged j where j.entity = b.entity and j.batch_id = b.batch_id) "
        "group by u.entity, u.error, b.src_inst_code order by u.entity, b.src_inst_code"
    ).fetchall()
    return [_finding(*row) for row in waiting]


def rows(connection: psycopg.Connection) -> dict[tuple[str, str], str]:
    """(rule, institution) -> which rows of which batches are kept out of the judgement, and the database's own words."""
    rules = [structural.isolated_id(entity) for entity in contracts.load()]
    found = connection.execute(
        "select rule_id, src_inst_code, count(*), (array_agg(batch_id order by failure_id))[1], "
        "(array_agg(row_no order by failure_id))[1], (array_agg(observed_value order by failure_id))[1] "
        "from quality.row_failure where resolved_run_id is null and rule_id = any(%s) group by 1, 2",
        [rules],
    ).fetchall()
    return {
        (
            rule_id,
            institution,
        ): f"{count} 行的值使判定中断，已单独隔离，首行是批次 {batch} 的第 {row} 行：{error}"
        for rule_id, institution, count, batch, row, error in found
    }


def _finding(
    entity: str, error: str, src_inst_code: str | None, batches: list[str | None], rows: int | None
) -> Finding:
    label = contracts.load()[entity].label
    named = "、".join(b for b in batches[:NAMED] if b) + (
        f" 等 {len(batches)} 个" if len(batches) > NAMED else ""
    )
    waits = f"批次 {named} 的 {rows} 行尚未判定" if src_inst_code else "隔离区和待重判的行尚未判定"
    reason = (
        f"{label}（{entity}）的判定中断：{error}；{waits}，此前接收的数据继续有效，其他实体照常判定和发布"
    )
    return Finding(
        rule_id=structural.isolated_id(entity),
        src_inst_code=src_inst_code or settings.COMMISSION,
        entity=entity,
        severity="ERROR",
        failed=max(rows or 0, 1),
        reason=reason,
    )
