"""Whether the line moves: how old each institution's data are against its objective, and what is stuck.

Read from the warehouse alone, with the server's clock, so that it can be asked while Airflow is down.
"""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from yuyan.domain import institutions

STUCK_HOURS = 12
"""A run that takes longer, or data that wait longer for the next stage, are stuck. The line's own time limits end sooner
(3 h for an institution, 2 h for a stage), each with its retries [param]."""

_INSTITUTIONS = """
select c.src_inst_code as inst_code, max(r.started_at) filter (where c.outcome = 'success') as last_complete,
    round(extract(epoch from now() - max(r.started_at) filter (where c.outcome = 'success')) / 3600, 2)::float8 as age_hours,
    (array_agg(c.outcome order by r.started_at desc))[1] as outcome
from ops.collection_result c join ops.run r using (run_id) where c.entity = '' and r.kind <> 'warehouse' group by 1
"""
_STUCK = """
select kind || ' ' || run_id || '：自 ' || to_char(started_at, 'YYYY-MM-DD HH24:MI') || ' 起运行，尚未结束' as fault
from ops.run where state = 'running' and started_at < now() - make_interval(hours => %(hours)s)
union all
select '已装载而未校验：' || count(*) || ' 个批次，最早 ' || to_char(min(b.loaded_at), 'YYYY-MM-DD HH24:MI')
from ops.batch b left join quality.judged j using (entity, batch_id)
where j.batch_id is null and b.rows_stored + b.rows_tombstoned > 0
    and b.loaded_at < now() - make_interval(hours => %(hours)s)
having count(*) > 0
union all
select '已采集而未发布：' || run_id || '（' || as_of || '），此后没有成功的数仓运行'
from (
    select run_id, as_of, ended_at from ops.run where kind <> 'warehouse' and state in ('success', 'partial')
    order by ended_at desc limit 1
) newest
where ended_at < now() - make_interval(hours => %(hours)s) and not exists (
    select from ops.run w where w.kind = 'warehouse' and w.state = 'success' and w.ended_at > newest.ended_at
)
union all
select coalesce('最近一次采集始于 ' || to_char(max(started_at), 'YYYY-MM-DD HH24:MI'), '还没有任何采集')
from ops.run where kind = 'collect' having coalesce(max(started_at), '-infinity') < now() - make_interval(hours => %(fresh)s)
"""
_WAITING = """
select 'hold' as what, src_inst_code, count(*) as n from quality.hold where state = 'waiting' group by 2
union all select 'problem', src_inst_code, count(*) from quality.problem where state = 'open' group by 2
union all select 'quarantined_row', src_inst_code, count(*) from quality.quarantine where state = 'open' group by 2
"""
_RUNS = """
select distinct on (kind) kind, extract(epoch from now() - coalesce(ended_at, started_at))::float8 as age, state from ops.run
order by kind, started_at desc
"""


@dataclass(frozen=True)
class LineState:
    """`institutions`: inst_code, last_complete, age_hours (None: never), fresh_hours, is_fresh, outcome of the newest
    collection. `stuck`: a sentence each; none when the line moves.
    """

    institutions: list[dict[str, Any]]
    stuck: list[str]


def read(dsn: str) -> LineState:
    """The state now. An institution is fresh while its last complete collection is younger than its `fresh_hours`.

    >>> [row["inst_code"] for row in read(dsn).institutions if not row["is_fresh"]]
    """
    collected = {row["inst_code"]: row for row in _rows(dsn, _INSTITUTIONS)}
    never = {"last_complete": None, "age_hours": None, "outcome": None}
    objectives = institutions.fresh_hours()
    found = []
    for code, hours in objectives.items():
        row = {"inst_code": code} | never | collected.get(code, {}) | {"fresh_hours": hours}
        found.append(row | {"is_fresh": row["age_hours"] is not None and row["age_hours"] <= hours})
    longest = max(objectives.values(), default=0)
    stuck = [row["fault"] for row in _rows(dsn, _STUCK, hours=STUCK_HOURS, fresh=longest)]
    return LineState(found, stuck)


@dataclass(frozen=True)
class Gauge:
    """A figure of the line for a monitoring system: what it is, of whom, how much."""

    name: str
    text: str
    labels: dict[str, str]
    value: float


def gauges(dsn: str) -> list[Gauge]:
    """All gauges now; docs/operations.md lists them. Values carry codes of institutions and no personal datum."""
    state, found = read(dsn), []
    for row in state.institutions:
        of = {"institution": row["inst_code"]}
        if row["last_complete"] is not None:
            moment, age = row["last_complete"].timestamp(), row["age_hours"] * 3600
            found += [
                Gauge(
                    "institution_last_complete_seconds", "when everything last came, Unix time", of, moment
                ),
                Gauge("institution_age_seconds", "age of the last complete collection", of, age),
            ]
        objective = row["fresh_hours"] * 3600
        found += [
            Gauge("institution_objective_seconds", "how old its data may become", of, objective),
            Gauge("institution_fresh", "1 while the objective is met", of, float(row["is_fresh"])),
        ]
    found.append(Gauge("stuck", "reasons why the line does not move", {}, float(len(state.stuck))))
    found += [
        Gauge(
            "run_age_seconds",
            "since the newest run of a kind ended, or began",
            {"kind": row["kind"], "state": row["state"]},
            row["age"],
        )
        for row in _rows(dsn, _RUNS)
    ]
    return found + [
        Gauge(
            "waiting",
            "holds, problems and rows that wait for somebody",
            {"what": row["what"], "institution": row["src_inst_code"]},
            float(row["n"]),
        )
        for row in _rows(dsn, _WAITING)
    ]


def _rows(dsn: str, query: str, **values: Any) -> list[dict[str, Any]]:
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        return connection.execute(query, values).fetchall()
