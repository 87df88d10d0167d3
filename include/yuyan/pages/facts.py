"""What the warehouse knows about one institution's data: the rows that its feedback page and workbook are made of.

Nothing here identifies a person: values of pseudonymous fields are left out, since they mean nothing to the source.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import psycopg
from psycopg.rows import dict_row

from yuyan.domain import contracts
from yuyan.domain.institutions import load as institutions_on_file

Row = dict[str, Any]
HIDDEN = contracts.HIDDEN
SAMPLE = 20
"""Rows of a group that the page shows."""
LISTED = 200
"""Rows of a group that the workbook lists; where there are more, all rows stand in a CSV beside it."""

DELIVERY = """coalesce(
    b.file_name || case when b.file_name ~* '[.]xls[xm]?$' then '，第一个工作表' else '' end,
    '清单 ' || b.window_from || '，期间 ' || b.ref_period
)"""
"""SQL of the delivered file of batch b; of a batch from before names were kept, which file of which manifest."""

_STANDING = f"""
with each_failure as (
    select f.*, coalesce(f.cause_id, f.rule_id) as group_id,
           case when f.since_run_id = %(run)s then 'new' else 'still' end as change,
           o.state is not distinct from 'active' as is_overridden,
           f.severity in ('REJECT', 'ERROR') and o.state is distinct from 'active' as is_refused
    from quality.row_failure as f left join quality.override as o on o.override_id = f.override_id
    where f.src_inst_code = %(inst)s and f.resolved_run_id is null
),
standing as (  -- a record that is only noted here may be kept out by another rule
    select e.*, bool_or(e.is_refused) over (partition by e.entity, e.src_record_id) as is_kept_out,
           case when b.mode = 'replace' then {DELIVERY} end as delivery
    from each_failure as e left join ops.batch as b on b.batch_id = e.batch_id
)"""

_COLUMNS = """s.entity, s.src_record_id, s.record_key, s.batch_id, s.row_no, s.column_name, s.observed_value,
    s.compared_with, s.rule_id, s.severity, s.is_refused, s.is_kept_out, s.is_overridden, s.delivery, s.change,
    s.since_run_id, s.group_id, r.message, r.why, r.fix"""

_FIRST = f"""{_STANDING}, numbered as (
    select *, row_number() over (partition by group_id order by is_refused desc, failure_id) as place from standing
)
select {_COLUMNS}
from numbered as s left join quality.rule as r on r.rule_id = s.rule_id and r.version = s.rule_version
where s.place <= %(rows)s
order by s.is_refused desc, s.group_id, s.entity, s.batch_id, s.row_no, s.rule_id, s.src_record_id, s.column_name
"""
"""The first rows of every group."""

_GROUPS = f"""{_STANDING}, by_record as (
    select group_id, entity, src_record_id, max(cause_id) as cause_id, count(*) as failures,
           bool_or(is_refused) as is_refused, bool_or(is_kept_out and not is_refused) as is_kept_out,
           count(*) filter (where change = 'new') as new
    from standing group by group_id, entity, src_record_id
),
by_rule as (
    select group_id, rule_id, max(rule_version) as rule_version from standing group by group_id, rule_id
),
rules as (
    select group_id, array_agg(rule_id order by rule_id) as rule_ids, (array_agg(rule_id order by rule_id))[1] as rule_id,
           (array_agg(rule_version order by rule_id))[1] as rule_version
    from by_rule group by group_id
),
grouped as (
    select group_id, max(cause_id) as cause_id, sum(failures)::bigint as failures, count(*) as records,
           count(*) filter (where is_refused) as refused, count(*) filter (where is_kept_out) as kept_out,
           sum(new)::bigint as new, array_agg(distinct entity order by entity) as entities
    from by_record group by group_id
)
select g.*, s.rule_ids, s.rule_id, s.rule_version, coalesce(c.kind, 'single') as kind, c.src_inst_code as cause_inst_code,
       c.cause_entity, c.cause_key, c.cause_rule_ids, c.batch_id, c.observed_value,
       coalesce(c.message, r.message) as message, r.why, r.fix, r.owner
from grouped as g
inner join rules as s on s.group_id = g.group_id
left join quality.cause as c on c.cause_id = g.cause_id
left join quality.rule as r on r.rule_id = s.rule_id and r.version = s.rule_version
order by g.refused desc, g.records desc, g.group_id
"""

_RESOLVED = """
with numbered as (
    select f.*, row_number() over (partition by rule_id, resolution order by failure_id) as place
    from quality.row_failure as f
    where f.src_inst_code = %(inst)s and f.resolved_run_id = %(run)s and f.resolution <> 'replaced'
)
select f.entity, f.src_record_id, f.record_key, f.batch_id, f.row_no, f.column_name, f.observed_value, f.compared_with,
       f.rule_id, f.severity, f.resolution, f.since_run_id, r.message
from numbered as f left join quality.rule as r on r.rule_id = f.rule_id and r.version = f.rule_version
where f.place <= %(rows)s
order by f.rule_id, f.entity, f.src_record_id, f.failure_id
"""

_QUERIES = {
    "arrivals": """
        with newest as (
            select distinct on (c.entity) c.entity, c.outcome, c.rows_received, c.rows_stored, c.error, r.as_of
            from ops.collection_result as c inner join ops.run as r on r.run_id = c.run_id
            where c.src_inst_code = %(inst)s and c.entity <> '' order by c.entity, r.started_at desc, r.run_id desc
        ),
        batches as (
            select entity, max(as_of) as last_batch_on, max(loaded_at at time zone 'Asia/Shanghai') as last_batch_at,
                   count(*) as batches, sum(rows_received) as received_ever
            from ops.batch where src_inst_code = %(inst)s group by entity
        ),
        waiting as (
            select entity, count(*) as waiting from quality.quarantine
            where src_inst_code = %(inst)s and state = 'open' group by entity
        )
        select coalesce(n.entity, b.entity) as entity, n.outcome, n.as_of, n.rows_received, n.rows_stored, n.error,
               b.last_batch_on, b.last_batch_at, coalesce(b.batches, 0) as batches,
               coalesce(b.received_ever, 0)::bigint as received_ever, coalesce(w.waiting, 0) as waiting
        from newest as n full join batches as b on b.entity = n.entity
        left join waiting as w on w.entity = coalesce(n.entity, b.entity)
        order by 1""",
    "collection": """
        select c.outcome, c.error, r.run_id, r.as_of, c.rows_received, c.rows_stored
        from ops.collection_result as c inner join ops.run as r on r.run_id = c.run_id
        where c.src_inst_code = %(inst)s and c.entity = '' order by r.started_at desc, r.run_id desc limit 1""",
    "checks": """
        select distinct on (k.entity) k.entity, k.source_count, k.warehouse_count, k.action, r.as_of
        from ops.count_check as k inner join ops.run as r on r.run_id = k.run_id
        where k.src_inst_code = %(inst)s order by k.entity, r.started_at desc, r.run_id desc""",
    "drifts": """
        select d.entity, d.field, d.kind, d.rows from ops.schema_drift as d
        where d.src_inst_code = %(inst)s and d.run_id = (
            select c.run_id from ops.collection_result as c inner join ops.run as r on r.run_id = c.run_id
            where c.src_inst_code = %(inst)s and c.entity = '' order by r.started_at desc, r.run_id desc limit 1
        ) order by d.entity, d.field""",
    "passed_over": """
        select entity, sum(rows_received)::bigint as received, sum(rows_repeated)::bigint as repeated,
               sum(rows_superseded - rows_repeated)::bigint as older
        from ops.batch where src_inst_code = %(inst)s and run_id = (
            select c.run_id from ops.collection_result as c inner join ops.run as r on r.run_id = c.run_id
            where c.src_inst_code = %(inst)s and c.entity = '' order by r.started_at desc, r.run_id desc limit 1
        ) group by entity having sum(rows_superseded) > 0 order by entity""",
    "normalised": """
        select n.entity, n.field, n.rows from ops.normalised as n
        where n.src_inst_code = %(inst)s and n.run_id = (
            select c.run_id from ops.collection_result as c inner join ops.run as r on r.run_id = c.run_id
            where c.src_inst_code = %(inst)s and c.entity = '' order by r.started_at desc, r.run_id desc limit 1
        ) order by n.entity, n.field""",
    "resolutions": """
        select f.rule_id, r.message, f.resolution, count(*) as failures
        from quality.row_failure as f left join quality.rule as r on r.rule_id = f.rule_id and r.version = f.rule_version
        where f.src_inst_code = %(inst)s and f.resolved_run_id = %(run)s and f.resolution <> 'replaced'
        group by f.rule_id, r.message, f.resolution order by count(*) desc, f.rule_id, f.resolution""",
    "changes": """
        select entity, count(*) filter (where resolved_run_id is null and since_run_id = %(run)s) as new,
               count(*) filter (where resolved_run_id is null and since_run_id <> %(run)s) as still,
               count(*) filter (where resolved_run_id = %(run)s) as resolved
        from quality.row_failure
        where src_inst_code = %(inst)s
          and (resolved_run_id is null or (resolved_run_id = %(run)s and resolution <> 'replaced'))
        group by entity order by entity""",
    "others": """
        select c.cause_id, c.kind, c.message, c.cause_entity, c.cause_key, count(*) as failures,
               array_agg(distinct f.src_inst_code order by f.src_inst_code) as institutions
        from quality.cause as c inner join quality.row_failure as f on f.cause_id = c.cause_id and f.resolved_run_id is null
        where c.src_inst_code = %(inst)s and f.src_inst_code <> %(inst)s and c.resolved_run_id is null
        group by c.cause_id, c.kind, c.message, c.cause_entity, c.cause_key order by count(*) desc, c.cause_id""",
    "problems": """
        select p.*, r.message, r.fix, r.override_by, o.as_of as opened_on
        from quality.problem as p left join quality.rule as r on r.rule_id = p.rule_id and r.is_current
        left join ops.run as o on o.run_id = p.opened_run_id
        where p.src_inst_code = %(inst)s and (p.state <> 'fixed' or p.fixed_run_id = %(run)s)
        order by p.state = 'fixed', p.state in ('known', 'overridden'), p.severity in ('WARN', 'INFO'), p.failed desc,
                 p.rule_id, p.problem_id""",
    "events": """
        select e.problem_id, p.rule_id, e.as_of, e.actor, e.action, e.from_state, e.to_state, e.reason, e.override_id
        from quality.problem_event as e inner join quality.problem as p on p.problem_id = e.problem_id
        where p.src_inst_code = %(inst)s and (p.state <> 'fixed' or p.fixed_run_id = %(run)s) order by e.event_id""",
    "overrides": """
        select override_id, problem_id, rule_id, state, granted_rows, justification, requested_by, requested_on, expires_on,
               decided_by, decided_on, decision_reason, lapse_reason
        from quality.override where src_inst_code = %(inst)s order by override_id desc""",
    "holds": """
        select hold_id, entity, kind, state, as_of, live_rows, affected_rows, cardinality(batch_ids) as batches,
               decided_by, decided_on, reason
        from quality.hold where src_inst_code = %(inst)s
        order by state in ('waiting', 'accepted', 'rejected') desc, hold_id desc limit 50""",
    "results": """
        select q.rule_id, q.entity, r.severity, r.message, q.eligible, q.failed, q.unverifiable, q.overridden, q.rate,
               q.tolerance_rows, q.tolerance_pct, q.verdict, q.new, q.still, q.resolved, j.as_of
        from quality.current_result as q inner join quality.last_judged as j on j.entity = q.entity
        left join quality.rule as r on r.rule_id = q.rule_id and r.version = q.rule_version
        where q.src_inst_code = %(inst)s order by q.rule_id""",
    "scorecard": """
        select s.entity, s.period, s.dimension, s.numerator, s.denominator, s.value, s.target, s.grade, s.as_of
        from quality.scorecard as s where s.src_inst_code = %(inst)s and s.run_id = (
            select x.run_id from quality.scorecard as x inner join ops.run as r on r.run_id = x.run_id
            where x.src_inst_code = %(inst)s order by r.started_at desc, r.run_id desc limit 1
        ) order by s.entity, s.dimension, s.period""",
    "grades": """
        select c.variant_code, c.grade, c.weakest_entity, c.weakest_dimension from quality.indicator_confidence as c
        where c.unit_code = %(inst)s and c.run_id = (
            select x.run_id from quality.indicator_confidence as x inner join ops.run as r on r.run_id = x.run_id
            where x.unit_code = %(inst)s order by r.started_at desc, r.run_id desc limit 1
        ) order by c.variant_code""",
    "alarms": """
        select rule_id, variant_code, category, period_code, observed, expected, threshold, explanation
        from quality.credibility where src_inst_code = %(inst)s and is_alarm and run_id = %(run)s
        order by rule_id, variant_code, category, period_code""",
}


@dataclass(frozen=True)
class Facts:
    """All there is to say to one institution after a warehouse run; `tables` holds the rows of each of the queries."""

    inst_code: str
    name: str
    run_id: str
    as_of: date
    tables: dict[str, list[Row]]
    groups: list[Row]
    samples: dict[str, list[Row]]

    @cached_property
    def delivers_files(self) -> bool:
        """Whether the institution delivers files, and not records of a platform."""
        known = institutions_on_file().get(self.inst_code)
        return known is not None and known.platform.connector == "files"


def read(connection: psycopg.Connection, inst_code: str, run_id: str, as_of: date) -> Facts:
    """What to say to an institution after the run. Raises nothing for one without any row: its page says so."""
    values = {"inst": inst_code, "run": run_id, "rows": SAMPLE}
    with connection.cursor(row_factory=dict_row) as cursor:

        def rows(query: str) -> list[Row]:
            return [_without_persons(row) for row in cursor.execute(query, values).fetchall()]

        tables = {name: rows(query) for name, query in _QUERIES.items()}
        samples: dict[str, list[Row]] = {}
        for row in rows(_FIRST):
            samples.setdefault(row["group_id"], []).append(row)
        groups = rows(_GROUPS)
        name = cursor.execute(
            "select inst_name from accepted.institution where inst_code = %(inst)s limit 1", values
        ).fetchone()
        accepted = {
            e: _accepted(cursor, e, values) for e in sorted({r["entity"] for r in tables["arrivals"]})
        }
    for row in tables["arrivals"]:
        row["accepted"] = accepted[row["entity"]]
    order = list(contracts.load())
    tables["arrivals"].sort(key=lambda row: order.index(row["entity"]))
    known = institutions_on_file().get(
        inst_code
    )  # the commission has no record of itself, nor at first of a new one
    shown = name["inst_name"] if name else known.name if known else ""
    return Facts(inst_code, shown, run_id, as_of, tables, groups, samples)


def failures(connection: psycopg.Connection, inst_code: str, run_id: str) -> Iterator[Row]:
    """The first standing failures of every group of the institution, refused rows first, one after the other."""
    return _stream(connection, "standing", _FIRST, inst_code, run_id)


def resolved(connection: psycopg.Connection, inst_code: str, run_id: str) -> Iterator[Row]:
    """Failures that the run saw resolved: the first of every rule and resolution."""
    return _stream(connection, "resolved", _RESOLVED, inst_code, run_id)


def _stream(
    connection: psycopg.Connection, name: str, query: str, inst_code: str, run_id: str
) -> Iterator[Row]:
    with connection.cursor(name=name, row_factory=dict_row) as cursor:
        cursor.itersize = 5000
        for row in cursor.execute(query, {"inst": inst_code, "run": run_id, "rows": LISTED}):
            yield _without_persons(row)


def institutions(connection: psycopg.Connection) -> list[str]:
    """Codes of the institutions that were ever asked for their data."""
    query = "select distinct src_inst_code from ops.collection_result where entity = '' order by 1"
    return [code for (code,) in connection.execute(query)]


def newest_run(connection: psycopg.Connection) -> tuple[str, date] | None:
    """Id and `as_of` of the newest warehouse run; None before the first."""
    query = "select run_id, as_of from ops.run where kind = 'warehouse' order by started_at desc limit 1"
    return connection.execute(query).fetchone()


def _accepted(cursor: psycopg.Cursor, entity: str, values: dict[str, str]) -> int:
    query = f"select count(*) as n from accepted.{entity} where src_inst_code = %(inst)s"
    return cursor.execute(query, values).fetchone()["n"]


def is_hidden(entity: str, column_name: str) -> bool:
    """Whether one of the columns (separated by |) stands for a person: pseudonyms mean nothing to a source."""
    contract = contracts.load().get(entity)
    return bool(contract and contract.personal & set(column_name.split("|")))


def _without_persons(row: Row) -> Row:
    """The row with no value of a field that stands for a person."""
    if row.get("observed_value") and row.get("column_name") and is_hidden(row["entity"], row["column_name"]):
        row["observed_value"] = HIDDEN
    return row
