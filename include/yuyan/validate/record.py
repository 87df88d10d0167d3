"""Writing down a judgement: results, row failures, quarantine, release, accepted rows, judged batches; one transaction."""

from typing import Any

import psycopg

from yuyan import contracts
from yuyan.validate import accepted, suite, worktable
from yuyan.validate.catalogue import Catalogue, Lookup, Rule
from yuyan.validate.scope import RECORD, Arrivals, same_record


def rules(connection: psycopg.Connection, catalogue: Catalogue) -> None:
    """Make quality.rule say what the catalogue says."""
    rows = [
        (r.rule_id, r.version, entity, r.column, r.level, r.severity, r.message, r.why, r.fix, r.owner,
         list(r.indicators), r.definition)
        for entity, of_entity in catalogue.rules.items()
        for r in of_entity
    ]  # fmt: skip
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("delete from quality.rule")
        with cursor.copy("copy quality.rule from stdin") as copy:
            for row in rows:
                copy.write_row(row)


def judgement(
    connection: psycopg.Connection,
    catalogue: Catalogue,
    entity: str,
    run_id: str,
    arrivals: Arrivals,
    result: Any | None,
) -> dict[str, int]:
    """Record what the suite reported on `judging.<entity>` (None: no row to judge). Returns quarantined and healed rows."""
    with connection.transaction():
        if result is not None:
            _results(connection, entity, run_id, result)
            _row_failures(connection, catalogue.rules[entity], entity, run_id, result)
        counts = _quarantine(connection, catalogue, entity, run_id)
        connection.execute(
            "insert into quality.judged (entity, batch_id, rule_set, run_id) select %s, unnest(%s::text[]), %s, %s "
            "on conflict (entity, batch_id) do update set rule_set = excluded.rule_set, run_id = excluded.run_id",
            [entity, arrivals.unjudged, catalogue.digest(entity), run_id],
        )
        lookups = [x for x in catalogue.dependents(entity, "accepted") if _has_rows(connection, x.child)]
        _snapshot(connection, entity, lookups, "before")
        accepted.update(connection, entity)
        _snapshot(connection, entity, lookups, "after")
        for lookup in lookups:
            _note_affected(connection, lookup)
        connection.execute("delete from judging.pending where entity = %s", [entity])
    return counts


def _results(connection: psycopg.Connection, entity: str, run_id: str, result: Any) -> None:
    """quality.result from the suite's own figures. A second judgement of the same run adds to the first."""
    with connection.cursor() as cursor:
        cursor.execute("create temp table found (like quality.result) on commit drop")
        with cursor.copy("copy found from stdin") as copy:
            for one in result.results:
                rule_id = one.expectation_config.kwargs["rule_id"]
                for institution, figures in suite.counts(one).items():
                    if figures[0]:
                        copy.write_row((run_id, rule_id, institution, entity, *figures))
        cursor.execute(
            "insert into quality.result as r select * from found on conflict (run_id, rule_id, src_inst_code) do update set "
            "eligible = r.eligible + excluded.eligible, failed = r.failed + excluded.failed, "
            "unverifiable = r.unverifiable + excluded.unverifiable"
        )


def _row_failures(
    connection: psycopg.Connection, of_entity: tuple[Rule, ...], entity: str, run_id: str, result: Any
) -> None:
    """The rows of the rules that the suite reports as failed, written by the database. Raises when the figures differ."""
    reported = {
        one.expectation_config.kwargs["verdict"]: one.result["unexpected_count"]
        for one in result.results
        if not one.success
    }
    if not reported:
        return
    verdicts = ", ".join(
        f"(w.v{i}, '{rule.rule_id}', '{rule.column}', {worktable.observed(rule)}, '{rule.severity}')"
        for i, rule in enumerate(of_entity, start=1)
        if i in reported
    )
    written = connection.execute(
        "with written as (insert into quality.row_failure (run_id, rule_id, entity, raw_id, src_inst_code, src_record_id, "
        "record_key, batch_id, row_no, column_name, observed_value, severity) select %s, f.rule_id, %s, r.raw_id, "
        "r.src_inst_code, r.src_record_id, r.record_key, r.batch_id, r.row_no, f.name, f.observed, f.severity "
        f"from judging.{entity} w join raw.{entity} r on r.raw_id = w.raw_id cross join lateral (values {verdicts}) "
        "f(verdict, rule_id, name, observed, severity) where w.worst = '0' and f.verdict = '0' "
        "on conflict (entity, raw_id, rule_id, run_id) do update set severity = excluded.severity returning rule_id) "
        "select rule_id, count(*) from written group by rule_id",
        [run_id, entity],
    ).fetchall()
    expected = {of_entity[i - 1].rule_id: count for i, count in reported.items()}
    if dict(written) != expected:
        differing = sorted(set(expected.items()) ^ set(written))
        raise RuntimeError(
            f"{entity}: the suite and the rows written disagree ({differing}); did another process touch "
            f"judging.{entity} during run {run_id}? Run the validation again."
        )


def _quarantine(
    connection: psycopg.Connection, catalogue: Catalogue, entity: str, run_id: str
) -> dict[str, int]:
    parameters = {"entity": entity, "run": run_id, "rule_set": catalogue.digest(entity)}
    connection.execute("drop table if exists blocked")
    connection.execute(
        "create temp table blocked on commit drop as select f.raw_id, array_agg(f.rule_id order by f.rule_id) as rule_ids "
        f"from quality.row_failure f join judging.{entity} w on w.raw_id = f.raw_id where f.entity = %(entity)s "
        "and f.run_id = %(run)s and f.severity in ('REJECT', 'ERROR') group by f.raw_id",
        parameters,
    )
    quarantined = connection.execute(
        "insert into quality.quarantine (entity, raw_id, src_inst_code, src_record_id, batch_id, rule_ids, state, "
        "since_run_id, last_run_id) select %(entity)s, w.raw_id, w.src_inst_code, w.src_record_id, w.batch_id, b.rule_ids, "
        "case when exists (select 1 from quality.quarantine q where q.entity = %(entity)s and q.state = 'open' and "
        f"{same_record('q', 'w')} and q.raw_id > w.raw_id) then 'superseded' else 'open' end, %(run)s, %(run)s "
        f"from blocked b join judging.{entity} w on w.raw_id = b.raw_id on conflict (entity, raw_id) "
        "do update set rule_ids = excluded.rule_ids, last_run_id = excluded.last_run_id, state = 'open'",
        parameters,
    ).rowcount
    healed = connection.execute(
        "with released as (delete from quality.quarantine q "
        f"using judging.{entity} w where q.entity = %(entity)s and q.raw_id = w.raw_id and q.state = 'open' "
        "and not exists (select 1 from blocked b where b.raw_id = q.raw_id) returning q.*) "
        "insert into quality.release (entity, raw_id, src_inst_code, src_record_id, batch_id, rule_ids, since_run_id, "
        "released_run_id, reason) select r.entity, r.raw_id, r.src_inst_code, r.src_record_id, r.batch_id, r.rule_ids, "
        "r.since_run_id, %(run)s, case when j.rule_set is distinct from %(rule_set)s then 'rule_changed' else 'healed' end "
        "from released r left join quality.judged j on j.entity = r.entity and j.batch_id = r.batch_id "
        "on conflict do nothing",
        parameters,
    ).rowcount
    return {"quarantined": quarantined, "healed": healed}


def _has_rows(connection: psycopg.Connection, entity: str) -> bool:
    return connection.execute(f"select exists (select 1 from accepted.{entity})").fetchone()[0]


def _snapshot(connection: psycopg.Connection, entity: str, lookups: list[Lookup], name: str) -> None:
    """What children may look up in the accepted rows of the records at stake."""
    used = sorted(
        frozenset().union(*(x.used for x in lookups)) & {f.name for f in contracts.load()[entity].columns}
    )
    if used:
        connection.execute(
            f"create temp table {name} on commit drop as select {', '.join(used)} from accepted.{entity} "
            f"where ({RECORD}) in (select {RECORD} from judging.{entity} union all select {RECORD} from newest_{entity})"
        )


def _note_affected(connection: psycopg.Connection, lookup: Lookup) -> None:
    """Accepted children of records whose looked-up values appeared, changed or vanished."""
    used, key = ", ".join(sorted(lookup.used)), ", ".join(lookup.to_fields)
    own = ", ".join(f"c.{n}" for n in lookup.own_fields)
    connection.execute(
        f"insert into judging.pending select %s, c.raw_id from accepted.{lookup.child} c "
        f"where ({own}) in (select {key} from ("
        f"(select {used} from before except select {used} from after) union all "
        f"(select {used} from after except select {used} from before)) changed) on conflict do nothing",
        [lookup.child],
    )
