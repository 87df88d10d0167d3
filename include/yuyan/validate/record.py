"""Writing down a judgement: row failures, results, quarantine, release, accepted rows, judged batches; one transaction."""

from datetime import date
from typing import Any

import psycopg

from yuyan.decisions import overrides
from yuyan.domain import contracts
from yuyan.domain.catalogue import BLOCKING, Catalogue, Lookup
from yuyan.validate import accepted, failures, standing, statements
from yuyan.validate.scope import Arrivals
from yuyan.validate.work import Work


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
    work = Work(entity)
    values = {"entity": entity, "run": run_id, "as_of": as_of, "rule_set": arrivals.rule_set}
    with connection.transaction():
        failures.write(connection, catalogue.rules[entity], work, run_id, arrivals)
        overrides.apply(connection, entity, run_id, as_of)
        if result is not None:
            failures.results(connection, catalogue.rules[entity], entity, run_id, result)
        statements.run(connection, "find_blocked", {"blocking": list(BLOCKING)}, work=work)
        connection.execute(f"create index on {work.blocked} (raw_id)")
        connection.execute(f"analyze {work.blocked}")
        quarantined = statements.run(connection, "quarantine", values, work=work).rowcount
        healed = statements.run(
            connection, "release", values, work=work, is_covered=overrides.covers("f")
        ).rowcount
        statements.run(connection, "note_judged", values | {"batches": arrivals.unjudged})
        statements.run(connection, "note_last_judged", values)
        standing.confirm(connection, entity, arrivals.rule_set)
        lookups = [x for x in catalogue.dependents(entity, "accepted") if _has_rows(connection, x.child)]
        _snapshot(connection, work, lookups, work.before)
        accepted.update(connection, work)
        _snapshot(connection, work, lookups, work.after)
        for lookup in lookups:
            own = ", ".join(f"c.{n}" for n in lookup.own_fields)
            used = ", ".join(sorted(lookup.used))
            statements.run(
                connection, "note_affected_by_judgement", work=work, lookup=lookup, own=own, used=used
            )
        connection.execute("delete from judging.pending where entity = %s", [entity])
    return {"quarantined": quarantined, "healed": healed}


def _has_rows(connection: psycopg.Connection, entity: str) -> bool:
    return connection.execute(f"select exists (select 1 from accepted.{entity})").fetchone()[0]


def _snapshot(connection: psycopg.Connection, work: Work, lookups: list[Lookup], name: str) -> None:
    """What children may look up in the accepted rows of the records at stake."""
    columns = {f.name for f in contracts.load()[work.entity].columns}
    if used := sorted(frozenset().union(*(x.used for x in lookups)) & columns):
        statements.run(connection, "snapshot", work=work, name=name, used=used)
