"""What a judgement found: the life of every failing row (quality.row_failure) and the figures per rule (quality.result).

A row failure stands from the run that first saw the record break the rule until a run sees the end of it: corrected or
replaced by a newer version, deleted, healed, passed by changed rules.
"""

from typing import Any

import psycopg

from yuyan.validate import suite, worktable
from yuyan.validate.catalogue import Rule
from yuyan.validate.scope import RECORD, Arrivals, same_record

STANDS = "f.entity = %(entity)s and f.resolved_run_id is null"


def write(
    connection: psycopg.Connection, of_entity: tuple[Rule, ...], entity: str, run_id: str, arrivals: Arrivals
) -> None:
    """Bring quality.row_failure to what the work table says. Leaves `failing`: (raw_id, rule_id, …) of every failing row.

    A last good version that is judged beside a newer one and fails is written as settled, since the newest version is
    what stands for the record.
    """
    parameters = {"entity": entity, "run": run_id, "rule_set": arrivals.rule_set}
    verdicts = ", ".join(
        f"(w.v{i}, '{rule.rule_id}', '{rule.column}', {worktable.observed(rule)}, '{rule.severity}')"
        for i, rule in enumerate(of_entity, start=1)
    )
    connection.execute(
        "create temp table failing on commit drop as select r.raw_id, f.rule_id, k.version, w.is_newest, r.src_inst_code, "
        "r.src_record_id, r.record_key, r.batch_id, r.row_no, f.name, f.observed, f.severity "
        f"from judging.{entity} w join raw.{entity} r on r.raw_id = w.raw_id cross join lateral (values {verdicts}) "
        "f(verdict, rule_id, name, observed, severity) join quality.rule k on k.rule_id = f.rule_id and k.is_current "
        "where w.worst = '0' and f.verdict = '0'"
    )
    connection.execute(
        "create temp table settled on commit drop as select f.failure_id, case when t.is_deleted then 'deleted' "
        f"when t.raw_id <> f.raw_id then {_replaced_or_corrected('f')} "
        "when j.rule_set is distinct from %(rule_set)s then 'rule_changed' else 'healed' end as resolution "
        "from quality.row_failure f join ("
        f"select {RECORD}, raw_id, is_deleted from newest_{entity} union "
        f"select {RECORD}, raw_id, false from scope_{entity} where is_newest) t on {same_record('t', 'f')} "
        "left join quality.judged j on j.entity = f.entity and j.batch_id = f.batch_id "
        f"where {STANDS} and not exists (select 1 from failing g where g.raw_id = f.raw_id and g.rule_id = f.rule_id)",
        parameters,
    )
    connection.execute(
        "with closed as (update quality.row_failure f set resolved_run_id = %(run)s, resolution = s.resolution "
        "from settled s where s.failure_id = f.failure_id returning f.*) "
        "insert into quality.row_failure (entity, raw_id, rule_id, rule_version, src_inst_code, src_record_id, record_key, "
        "batch_id, row_no, column_name, observed_value, severity, since_run_id, last_run_id, resolved_run_id, resolution) "
        "select %(entity)s, g.raw_id, g.rule_id, g.version, g.src_inst_code, g.src_record_id, g.record_key, g.batch_id, "
        "g.row_no, g.name, g.observed, g.severity, coalesce(c.since_run_id, %(run)s), %(run)s, "
        f"case when not g.is_newest then %(run)s end, case when not g.is_newest then {_replaced_or_corrected('g')} end "
        f"from failing g left join closed c on g.is_newest and c.resolution = 'replaced' and {same_record('c', 'g')} "
        "and c.rule_id = g.rule_id on conflict (entity, raw_id, rule_id) where resolved_run_id is null do update set "
        "last_run_id = excluded.last_run_id, rule_version = excluded.rule_version, column_name = excluded.column_name, "
        "observed_value = excluded.observed_value, severity = excluded.severity",
        parameters,
    )


def _replaced_or_corrected(alias: str) -> str:
    """SQL: whether the newest version of the record breaks the rule as well."""
    return (
        f"case when exists (select 1 from failing n where n.is_newest and {same_record('n', alias)} "
        f"and n.rule_id = {alias}.rule_id) then 'replaced' else 'corrected' end"
    )


def results(connection: psycopg.Connection, entity: str, run_id: str, result: Any) -> None:
    """quality.result from the suite's own figures; a second judgement in one run replaces the first.

    Raises RuntimeError when the suite's failures are not the rows that stand.
    """
    parameters = {"entity": entity, "run": run_id}
    with connection.cursor() as cursor:
        cursor.execute(
            "create temp table found (rule_id text, src_inst_code text, eligible bigint, failed bigint, "
            "unverifiable bigint) on commit drop"
        )
        with cursor.copy("copy found from stdin") as copy:
            for one in result.results:
                for institution, figures in suite.counts(one).items():
                    copy.write_row((one.expectation_config.kwargs["rule_id"], institution, *figures))
        cursor.execute(
            "create temp table standing on commit drop as select f.rule_id, f.src_inst_code, count(*) as failed, "
            "count(*) filter (where f.since_run_id = %(run)s) as new, count(f.override_id) as overridden "
            f"from quality.row_failure f where {STANDS} group by f.rule_id, f.src_inst_code",
            parameters,
        )
        if differing := cursor.execute(
            "select coalesce(f.rule_id, s.rule_id), coalesce(f.src_inst_code, s.src_inst_code), coalesce(f.failed, 0), "
            "coalesce(s.failed, 0) from found f full join standing s using (rule_id, src_inst_code) "
            "where coalesce(f.failed, 0) <> coalesce(s.failed, 0) order by 1, 2"
        ).fetchall():
            raise RuntimeError(
                f"{entity}: the suite and the rows written disagree (rule, institution, suite, rows: {differing[:20]}); "
                f"did another process touch judging.{entity} or judging.standing_{entity} during run {run_id}? "
                f"Run the validation again; if it persists, drop judging.standing_{entity}: all is then judged anew."
            )
        cursor.execute(
            "delete from quality.result where run_id = %(run)s and entity = %(entity)s", parameters
        )
        cursor.execute(
            "insert into quality.result (run_id, rule_id, rule_version, src_inst_code, entity, eligible, failed, "
            "unverifiable, tolerance_rows, tolerance_pct, overridden, new, still, resolved, verdict) "
            "select %(run)s, k.rule_id, k.version, x.src_inst_code, k.entity, x.eligible, x.failed, x.unverifiable, "
            "k.tolerance_rows, k.tolerance_pct, x.overridden, x.new, x.failed - x.new, x.resolved, case "
            "when x.failed = 0 and x.eligible > 0 and x.unverifiable = x.eligible then 'unverifiable' "
            "when x.failed = 0 then 'pass' when x.failed <= t.rows then 'tolerated' "
            "when x.failed - x.overridden <= t.rows then 'overridden' else 'fail' end "
            "from (select rule_id, src_inst_code, coalesce(f.eligible, 0) as eligible, coalesce(f.failed, 0) as failed, "
            "coalesce(f.unverifiable, 0) as unverifiable, coalesce(s.overridden, 0) as overridden, "
            "coalesce(s.new, 0) as new, coalesce(r.resolved, 0) as resolved "
            "from found f full join standing s using (rule_id, src_inst_code) full join "
            "(select f.rule_id, f.src_inst_code, count(*) as resolved from quality.row_failure f "
            "where f.entity = %(entity)s and f.resolved_run_id = %(run)s and f.since_run_id <> %(run)s "
            "and f.resolution <> 'replaced' group by f.rule_id, f.src_inst_code) r using (rule_id, src_inst_code)) x "
            "join quality.rule k on k.rule_id = x.rule_id and k.is_current cross join lateral "
            "(select greatest(k.tolerance_rows, floor(x.eligible * k.tolerance_pct / 100)) as rows) t "
            "where x.eligible > 0 or x.resolved > 0",
            parameters,
        )
