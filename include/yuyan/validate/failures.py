"""What a judgement found: the life of every failing row (quality.row_failure) and the figures per rule (quality.result).

A row failure stands from the run that first saw the record break the rule until a run sees the end of it: corrected or
replaced by a newer version, deleted, healed, passed by changed rules.
"""

from typing import Any

import psycopg

from yuyan.decisions import overrides
from yuyan.domain.catalogue import BLOCKING, Rule, Tolerance
from yuyan.validate import suite, worktable
from yuyan.validate.scope import Arrivals, same_record

STANDS = "f.entity = %(entity)s and f.resolved_run_id is null"


def write(
    connection: psycopg.Connection, of_entity: tuple[Rule, ...], entity: str, run_id: str, arrivals: Arrivals
) -> None:
    """Bring quality.row_failure to what the work table says. Leaves `failing`: (raw_id, rule_id, …) of every failing row.

    A last good version that can no longer stand in for a newer one is written once, with the blocking rules it breaks,
    and as settled, since the newest version is what stands for the record.
    """
    parameters = {"entity": entity, "run": run_id, "rule_set": arrivals.rule_set, "blocking": list(BLOCKING)}
    verdicts = ", ".join(
        f"(w.v{i}, '{rule.rule_id}', '{rule.column}', {worktable.observed(entity, rule)}, '{rule.severity}')"
        for i, rule in enumerate(of_entity, start=1)
    )
    connection.execute(
        "create temp table failing on commit drop as select r.raw_id, f.rule_id, k.version, w.is_newest, r.src_inst_code, "
        "r.src_record_id, r.record_key, r.batch_id, r.row_no, f.name, f.observed, f.severity "
        f"from judging.{entity} w join raw.{entity} r on r.raw_id = w.raw_id cross join lateral (values {verdicts}) "
        "f(verdict, rule_id, name, observed, severity) join quality.rule k on k.rule_id = f.rule_id and k.is_current "
        "where w.worst = '0' and f.verdict = '0'"
    )
    connection.execute("analyze failing")
    connection.execute(
        "with touched as (select f.failure_id, n.raw_id, n.is_deleted from quality.row_failure f "
        f"join newest_{entity} n on {same_record('n', 'f')} where {STANDS} union select f.failure_id, s.raw_id, false "
        f"from quality.row_failure f join scope_{entity} s on {same_record('s', 'f')} where {STANDS} and s.is_newest), "
        "settled as (select f.failure_id, case when t.is_deleted then 'deleted' "
        f"when t.raw_id <> f.raw_id then {_replaced_or_corrected('f')} "
        "when j.rule_set is distinct from %(rule_set)s then 'rule_changed' else 'healed' end as resolution "
        "from touched t join quality.row_failure f on f.failure_id = t.failure_id "
        "left join quality.judged j on j.entity = f.entity and j.batch_id = f.batch_id "
        "where not exists (select 1 from failing g where g.is_newest and g.raw_id = f.raw_id and g.rule_id = f.rule_id)), "
        "closed as (update quality.row_failure f set resolved_run_id = %(run)s, resolution = s.resolution "
        "from settled s where s.failure_id = f.failure_id returning f.*) "
        "insert into quality.row_failure (entity, raw_id, rule_id, rule_version, src_inst_code, src_record_id, record_key, "
        "batch_id, row_no, column_name, observed_value, severity, since_run_id, last_run_id, resolved_run_id, resolution) "
        "select %(entity)s, g.raw_id, g.rule_id, g.version, g.src_inst_code, g.src_record_id, g.record_key, g.batch_id, "
        "g.row_no, g.name, g.observed, g.severity, coalesce(c.since_run_id, %(run)s), %(run)s, "
        f"case when not g.is_newest then %(run)s end, case when not g.is_newest then {_replaced_or_corrected('g')} end "
        f"from failing g left join closed c on g.is_newest and c.resolution = 'replaced' and {same_record('c', 'g')} "
        "and c.rule_id = g.rule_id where g.is_newest or (g.severity = any(%(blocking)s) and not exists (select 1 from "
        "quality.row_failure e where e.entity = %(entity)s and e.raw_id = g.raw_id and e.rule_id = g.rule_id)) "
        "on conflict (entity, raw_id, rule_id) where resolved_run_id is null do update set "
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


def results(
    connection: psycopg.Connection, of_entity: tuple[Rule, ...], entity: str, run_id: str, result: Any
) -> None:
    """quality.result from the suite's own figures; a second judgement in one run replaces the first.

    Raises RuntimeError when the suite's failures are not the rows that stand.
    """
    parameters = {"entity": entity, "run": run_id}
    suites = {
        (one.expectation_config.kwargs["rule_id"], institution): figures
        for one in result.results
        for institution, figures in suite.counts(one).items()
    }
    stands = _counted(
        connection,
        f"count(*), count(*) filter (where f.since_run_id = %(run)s), count(*) filter (where {overrides.covers('f')})",
        "f.resolved_run_id is null",
        parameters,
    )
    resolved = _counted(
        connection,
        "count(*)",
        "f.resolved_run_id = %(run)s and f.since_run_id <> %(run)s and f.resolution <> 'replaced'",
        parameters,
    )
    reported = {key: failed for key, (_, failed, _) in suites.items() if failed}
    if differing := set(reported.items()) ^ {(key, failed) for key, (failed, *_) in stands.items()}:
        raise RuntimeError(
            f"{entity}: the suite and the rows written disagree ({sorted(differing)[:20]}); did another process touch "
            f"judging.{entity} or judging.standing_{entity} during run {run_id}? Run the validation again; if it "
            f"persists, truncate judging.standing_{entity}, and every record is judged anew."
        )
    versions = dict(
        connection.execute(
            "select rule_id, version from quality.rule where entity = %s and is_current", [entity]
        ).fetchall()
    )
    rules = {rule.rule_id: rule for rule in of_entity}
    columns = (
        "run_id, rule_id, rule_version, src_inst_code, entity, eligible, failed, unverifiable, tolerance_rows, "
        "tolerance_pct, overridden, new, still, resolved, verdict"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from quality.result where run_id = %(run)s and entity = %(entity)s", parameters
        )
        with cursor.copy(f"copy quality.result ({columns}) from stdin") as copy:
            for key in sorted(suites.keys() | resolved.keys()):
                rule_id, institution = key
                eligible, failed, unverifiable = suites.get(key, (0, 0, 0))
                _, new, overridden = stands.get(key, (0, 0, 0))
                (ended,) = resolved.get(key, (0,))
                if rule_id in rules and (eligible or ended):
                    rule = rules[rule_id]
                    copy.write_row(
                        (run_id, rule_id, versions[rule_id], institution, entity, eligible, failed, unverifiable,
                         rule.tolerance.rows, rule.tolerance.pct, overridden, new, failed - new, ended,
                         verdict(rule.tolerance, eligible, failed, unverifiable, overridden))
                    )  # fmt: skip


def verdict(tolerance: Tolerance, eligible: int, failed: int, unverifiable: int, overridden: int) -> str:
    """What a rule's figures at one institution come to: pass, unverifiable, tolerated, overridden or fail."""
    if not failed:
        return "unverifiable" if 0 < eligible == unverifiable else "pass"
    tolerated = max(tolerance.rows, eligible * tolerance.pct / 100)
    if failed <= tolerated:
        return "tolerated"
    return "overridden" if failed - overridden <= tolerated else "fail"


def _counted(
    connection: psycopg.Connection, counts: str, where: str, parameters: dict[str, str]
) -> dict[tuple[str, str], tuple[int, ...]]:
    """(rule, institution) -> counts over the entity's row failures f."""
    rows = connection.execute(
        f"select f.rule_id, f.src_inst_code, {counts} from quality.row_failure f "
        f"where f.entity = %(entity)s and {where} group by f.rule_id, f.src_inst_code",
        parameters,
    ).fetchall()
    return {(rule_id, institution): tuple(figures) for rule_id, institution, *figures in rows}
