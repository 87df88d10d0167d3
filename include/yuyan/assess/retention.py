"""How long the results of runs are kept (docs/data-quality.md): those of the newest days in full, of each month before them
the last. What is deleted is recorded in quality.thinning.

Histories of rows, problems, overrides and holds are not results of a run, and are never thinned.
"""

from dataclasses import dataclass
from datetime import date

import psycopg

DAYS_IN_FULL = 100
"""So many days on which a warehouse run worked, the run's own included; a quarter, with its reports, is within [param].
Days without a run do not count, nor does today: neither a standstill nor one wrong date thins what is new."""
POLICY = f"最近 {DAYS_IN_FULL} 个有运行的统计日期全部保留；此前每月只留最后一次（规则结果按实体）"


@dataclass(frozen=True)
class Results:
    """A table with rows per run. `needed`: SQL, what must stay of the rows t whatever their age."""

    table: str
    by_entity: bool = False
    needed: str = "false"


TABLES = (
    Results(
        "result",
        by_entity=True,  # a run judges some of the entities
        needed="(t.entity, t.run_id) in (select entity, run_id from quality.last_judged)",
    ),
    Results(
        "credibility",  # the alarm that a problem is about: its period decides whether an explanation holds
        needed="(t.rule_id, t.src_inst_code, t.run_id) in "
        "(select rule_id, src_inst_code, last_run_id from quality.problem)",
    ),
    Results("scorecard"),
    Results("indicator_confidence"),
)

_FULL_SINCE = """
select distinct as_of from ops.run where kind = 'warehouse' and as_of <= %s order by as_of desc offset %s limit 1
"""
# The last run of a month may lie within the days in full, so the month of their first day is looked at whole. Whether
# there are results is one look into an index (`limit`: an `exists` would be planned as a pass over the whole table).
_THIN = """
with ranked as (
    select r.run_id, r.as_of, p.entity, row_number() over (
        partition by p.entity, date_trunc('month', r.as_of) order by r.as_of desc, r.started_at desc
    ) as recency
    from ops.run r cross join {entities} p (entity) cross join lateral (
        select from quality.{table} t where t.run_id = r.run_id and {part} = p.entity limit 1
    ) results
    where r.kind = 'warehouse' and r.as_of < %(since)s::date + 31
), thinned as (
    delete from quality.{table} t using ranked k
    where k.recency > 1 and k.as_of < %(since)s and t.run_id = k.run_id and {part} = k.entity and not ({needed})
    returning t.run_id, k.as_of
)
insert into quality.thinning (table_name, run_id, as_of, rows, policy, thinned_run_id)
select '{table}', run_id, as_of, count(*), %(policy)s, %(run)s from thinned group by run_id, as_of order by as_of, run_id
returning rows
"""


def thin(connection: psycopg.Connection, run_id: str, as_of: date) -> int:
    """Delete what the policy does not keep, seen from a run's `as_of`, and record it; returns the number of rows."""
    oldest = connection.execute(_FULL_SINCE, [as_of, DAYS_IN_FULL - 1]).fetchone()
    if oldest is None:
        return 0
    given = {"since": oldest[0], "policy": POLICY, "run": run_id}
    return sum(rows for t in TABLES for (rows,) in connection.execute(_statement(t), given))


def _statement(results: Results) -> str:
    return _THIN.format(
        table=results.table,
        needed=results.needed,
        entities="quality.last_judged" if results.by_entity else "(values (''))",
        part="t.entity" if results.by_entity else "''",
    )
