"""The validate stage: judge every entity in dependency order."""

import logging
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import psycopg

from yuyan import settings
from yuyan.decisions import problems
from yuyan.domain import catalogue as rule_catalogue
from yuyan.domain.catalogue import Catalogue
from yuyan.validate import causes, docs, record, rulebook, scope, standing, suite, worktable
from yuyan.validate.scope import Arrivals

LOCK = 7_220_261
"""Key of the advisory lock: one validation at a time."""

log = logging.getLogger(__name__)


def validate(run_id: str, as_of: date, entities: Sequence[str] | None = None) -> dict[str, dict[str, Any]]:
    """Judge what is not judged yet; returns per entity judged, accepted, quarantined, healed, rules, failed_rules, seconds.

    `entities` restricts the judgement; the others catch up in the next run. Safe to repeat: a second call with the same
    run judges nothing twice, and a killed one is taken up where it stopped. Raises RuleError for a bad rule file,
    KeyError for an unknown entity.
    """
    rules = rule_catalogue.load()
    if unknown := set(entities or ()) - set(rules.order):
        raise KeyError(f"unknown entities {sorted(unknown)}; known are {', '.join(rules.order)}")
    order = [e for e in rules.order if entities is None or e in entities]
    with psycopg.connect(settings.warehouse_dsn(), autocommit=True) as connection:
        connection.execute("select pg_advisory_lock(%s)", [LOCK])
        with connection.transaction():
            connection.execute(Path(__file__).with_name("structure.sql").read_text(encoding="utf-8"))
        rulebook.register(connection, rules, run_id)
        with connection.transaction():
            arrivals = {entity: scope.arrive(connection, rules, entity, run_id, as_of) for entity in order}
        with suite.batches() as batch:
            summaries = {
                entity: _judge(connection, batch, rules, entity, run_id, as_of, arrivals[entity])
                for entity in order
            }
        causes.find(connection, rules, run_id)
        problems.settle_results(connection, run_id, as_of)
    return summaries


def _judge(
    connection: psycopg.Connection,
    batch: Any,
    rules: Catalogue,
    entity: str,
    run_id: str,
    as_of: date,
    arrivals: Arrivals,
) -> dict[str, Any]:
    started = time.monotonic()
    of_entity = rules.rules[entity]
    summary = {
        "judged": 0,
        "accepted": 0,
        "quarantined": 0,
        "healed": 0,
        "rules": len(of_entity),
        "failed_rules": 0,
    }
    if arrivals.unjudged or not scope.is_idle(connection, entity, run_id):
        with connection.transaction():
            scope.select(connection, entity, run_id)
            scope.find_taken_keys(connection, entity)
            scope.find_latest(connection, rules, entity)
            judged = worktable.build(connection, entity, of_entity, as_of)
            standing.merge(connection, entity, len(of_entity), arrivals.is_whole)
        result = suite.run(batch, entity, of_entity)
        counts = record.judgement(connection, rules, entity, run_id, as_of, arrivals, result)
        docs.keep(result, run_id, as_of)
        summary |= counts | {"judged": judged, "accepted": judged - counts["quarantined"]}
        summary["failed_rules"] = sum(not one.success for one in result.results)
        _analyze(connection, rules, entity, judged)
    summary["seconds"] = round(time.monotonic() - started, 3)
    log.info("%s: %s", entity, summary)
    return summary


def _analyze(connection: psycopg.Connection, rules: Catalogue, entity: str, judged: int) -> None:
    """Fresh statistics of what children look up, when a good part of the table is new."""
    rows = connection.execute(
        "select reltuples from pg_class where oid = %s::regclass", [f"accepted.{entity}"]
    ).fetchone()[0]
    columns = sorted(frozenset().union(*(x.used for x in rules.dependents(entity, "accepted"))))
    if columns and judged > max(rows, 0) / 10:
        connection.execute(f"analyze accepted.{entity} ({', '.join(columns)})")
