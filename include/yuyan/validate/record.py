"""Writing down a judgement: row failures, results, quarantine, release, accepted rows, judged batches; one transaction."""

from datetime import date
from typing import Any

import psycopg

from yuyan.decisions import overrides
from yuyan.domain import contracts
from yuyan.domain.catalogue import BLOCKING, Catalogue, Lookup
from yuyan.validate import accepted, failures, standing
from yuyan.validate.scope import RECORD, Arrivals


def judgement(
    connection: psycopg.Connection,
    catalogue: Catalogue,
    entity: str,
    run_id: str,
    as_of: date,
    arrivals: Arrivals,
    result: Any | None,
) -> dict[str, int]:
    """Record what `judging.<entity>` says and the suite reported of what stands. Returns quarantined and healed rows.

    Without a suite's `result` (a judgement that is tried out and rolled back) nothing is compared with it.
    """
    with connection.transaction():
        failures.write(connection, catalogue.rules[entity], entity, run_id, arrivals)
        overrides.apply(connection, entity, run_id, as_of)
        if result is not None:
            failures.results(connection, catalogue.rules[entity], entity, run_id, result)
        _find_blocked(connection)
        counts = _quarantine(connection, entity, run_id, arrivals.rule_set)
        connection.execute(
            "insert into quality.judged (entity, batch_id, rule_set, run_id) select %s, unnest(%s::text[]), %s, %s "
            "on conflict (entity, batch_id) do update set rule_set = excluded.rule_set, run_id = excluded.run_id",
            [entity, arrivals.unjudged, arrivals.rule_set, run_id],
        )
        connection.execute(
            "insert into quality.last_judged (entity, run_id, as_of) values (%s, %s, %s) "
            "on conflict (entity) do update set run_id = excluded.run_id, as_of = excluded.as_of",
            [entity, run_id, as_of],
        )
        standing.confirm(connection, entity, arrivals.rule_set)
        lookups = [x for x in catalogue.dependents(entity, "accepted") if _has_rows(connection, x.child)]
        _snapshot(connection, entity, lookups, "before")
        accepted.update(connection, entity)
        _snapshot(connection, entity, lookups, "after")
        for lookup in lookups:
            _note_affected(connection, lookup)
        connection.execute("delete from judging.pending where entity = %s", [entity])
    return counts


def _find_blocked(connection: psycopg.Connection) -> None:
    """Fill `blocked` (raw_id, rule_ids): judged rows that break a blocking rule and that no override lets pass."""
    connection.execute(
        "create temp table blocked on commit drop as select g.raw_id, array_agg(g.rule_id order by g.rule_id) as rule_ids "
        "from failing g where g.severity = any(%s) and not exists (select 1 from letting_pass o "
        "where o.rule_id = g.rule_id and o.src_inst_code = g.src_inst_code) group by g.raw_id",
        [list(BLOCKING)],
    )
    connection.execute("create index on blocked (raw_id)")
    connection.execute("analyze blocked")


def _quarantine(connection: psycopg.Connection, entity: str, run_id: str, rule_set: str) -> dict[str, int]:
    """Quarantine the judged rows that are in `blocked`, release those that are not."""
    parameters = {"entity": entity, "run": run_id, "rule_set": rule_set}
    quarantined = connection.execute(
        "insert into quality.quarantine (entity, raw_id, src_inst_code, src_record_id, batch_id, rule_ids, state, "
        "since_run_id, last_run_id) select %(entity)s, w.raw_id, w.src_inst_code, w.src_record_id, w.batch_id, b.rule_ids, "
        "case when w.is_newest then 'open' else 'stood_down' end, %(run)s, %(run)s "
        f"from blocked b join judging.{entity} w on w.raw_id = b.raw_id on conflict (entity, raw_id) "
        "do update set rule_ids = excluded.rule_ids, last_run_id = excluded.last_run_id, state = excluded.state",
        parameters,
    ).rowcount
    healed = connection.execute(
        "with released as (delete from quality.quarantine q "
        f"using judging.{entity} w where q.entity = %(entity)s and q.raw_id = w.raw_id "
        "and q.state in ('open', 'stood_down') and not exists (select 1 from blocked b where b.raw_id = q.raw_id) "
        "returning q.*) insert into quality.release "
        "(entity, raw_id, src_inst_code, src_record_id, batch_id, rule_ids, since_run_id, "
        "released_run_id, reason) select r.entity, r.raw_id, r.src_inst_code, r.src_record_id, r.batch_id, r.rule_ids, "
        "r.since_run_id, %(run)s, case when exists (select 1 from quality.row_failure f where f.entity = r.entity "
        f"and f.raw_id = r.raw_id and f.resolved_run_id is null and {overrides.covers('f')}) then 'override' "
        "when j.rule_set is distinct from %(rule_set)s then 'rule_changed' else 'healed' end "
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
