"""Which rows a run judges: newest versions not judged yet, open quarantine, and accepted rows that a change may affect.

Works in tables of their own, see `Work`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import psycopg

from yuyan.domain import contracts, macros
from yuyan.domain.catalogue import Catalogue, Lookup
from yuyan.domain.contracts import Contract
from yuyan.validate import city_totals, standing, statements, worktable
from yuyan.validate.work import Work
from yuyan.warehouse import ddl
from yuyan.warehouse.records import RECORD

KEY_BYTES = 500
"""Bytes of a text that records are looked up by: five of them fit into an entry of an index (some 2,700 bytes)."""


@dataclass(frozen=True)
class Arrivals:
    """Batches of one entity that this run settles, under the rules of this digest. `fresh` were never judged.

    `is_whole`: every record is judged, since its verdicts under these rules are not there yet.
    """

    rule_set: str
    unjudged: list[str]
    fresh: list[str]
    is_whole: bool


def typed_list(contract: Contract, names: tuple[str, ...] | list[str], alias: str) -> str:
    """Typed expressions of raw columns, separated by commas."""
    return ", ".join(ddl.typed(contract[n], alias) for n in names)


def arrive(
    connection: psycopg.Connection, catalogue: Catalogue, entity: str, run_id: str, as_of: date
) -> Arrivals:
    """Find what is not judged yet, note what it replaces, and note which accepted rows it may affect."""
    rule_set = catalogue.digest(entity, as_of)
    is_whole = not standing.is_kept(connection, entity, rule_set)
    values = {"entity": entity, "rule_set": rule_set, "is_whole": is_whole}
    rows = statements.run(connection, "unjudged_batches", values).fetchall()
    arrivals = Arrivals(rule_set, [b for b, _ in rows], [b for b, is_fresh in rows if is_fresh], is_whole)
    work = Work(entity)
    connection.execute(f"drop table if exists {work.newest}")  # of a run that was killed
    if arrivals.unjudged:
        city_totals.fill(connection, catalogue, entity)
    if not is_whole:
        _note_judged_otherwise(connection, catalogue, entity, as_of)
    if not arrivals.unjudged:
        return arrivals
    touched = _touched(connection, entity, arrivals.unjudged)
    statements.run(connection, "newest", {"batches": arrivals.unjudged}, work=work, touched=touched)
    _index(connection, work.newest)
    if arrivals.fresh:
        values = {"entity": entity, "run": run_id, "fresh": arrivals.fresh}
        statements.run(connection, "supersede_quarantined", values, work=work)
        statements.run(connection, "supersede_unjudged", values, work=work)
        for lookup in catalogue.dependents(entity, "latest"):
            _note_affected(connection, lookup, arrivals.fresh)
    return arrivals


def _note_judged_otherwise(
    connection: psycopg.Connection, catalogue: Catalogue, entity: str, as_of: date
) -> None:
    """Accepted rows that a rule about the run's date or the city's totals judges otherwise than in the last judgement.

    What stands of a rule about the date and the row alone is its verdict on the day of the last judgement, so the two days
    are compared; that of a rule that looks at accepted records or totals is looked up. A rule may also ask for what
    accepted rows do not have (newest versions, text as received). Where only its eligibility depends on the day, the rows
    are noted whose eligibility has changed; otherwise all of them are judged again.
    """
    last = connection.execute("select as_of from quality.last_judged where entity = %s", [entity]).fetchone()
    if last is None:
        return
    changed, compares_standing = [], False
    for i, rule in enumerate(catalogue.rules[entity], start=1):
        if not rule.single_row and ("{as_of}" not in rule.definition or last[0] == as_of):
            continue
        if _is_plain(rule.definition):
            now, then = (worktable.verdict(entity, rule, day) for day in (as_of, last[0]))
            looks_elsewhere = bool(rule.single_row or {"accepted"} & _macros(rule.definition))
            changed.append(f"{now} is distinct from {f's.v{i}' if looks_elsewhere else then}")
            compares_standing |= looks_elsewhere
        elif rule.when and _is_plain(rule.when) and "{as_of}" not in rule.assert_:
            now, then = (macros.expand(rule.when, day, {}) for day in (as_of, last[0]))
            changed.append(f"({now}) is distinct from ({then})")
        else:
            changed.append("true")
    if changed:
        parts = {"changed": changed, "compares_standing": compares_standing}
        statements.run(connection, "note_judged_otherwise", work=Work(entity), **parts)


def _is_plain(text: str) -> bool:
    """Whether a rule's text can be judged on accepted rows."""
    return not {"latest", "raw"} & _macros(text)


def _macros(text: str) -> set[str]:
    return {name for name, _ in macros.MACRO.findall(text)}


def is_idle(connection: psycopg.Connection, entity: str, run_id: str) -> bool:
    """Nothing arrived (the caller knows), waits in quarantine, passed by an override or is noted for another judgement."""
    return statements.run(connection, "is_idle", {"entity": entity, "run": run_id}).fetchone()[0]


def select(
    connection: psycopg.Connection, work: Work, run_id: str, only: Sequence[int] | None = None
) -> None:
    """Fill `scope` with the rows to judge, or with those `only` of them (raw_id).

    Rows in quarantine that this run has judged already stay out, so that repeating a run judges nothing twice. A record can
    be there twice: its newest version, and the last good one that would stand in for it (`is_newest` is false). That is
    published while the newest waits in quarantine, so it answers to the same rules on the same day. One that fails stands
    down until it passes; none older takes its place. A tombstone leaves nothing to publish.
    """
    values = {"entity": work.entity, "run": run_id}
    connection.execute(f"drop table if exists {work.scope}, {work.taken}")
    connection.execute(
        f"create unlogged table if not exists {work.newest} (src_inst_code text, src_record_id text, raw_id bigint, "
        "record_key text, is_deleted boolean)"
    )
    statements.run(connection, "scope_arrived", work=work)
    statements.run(connection, "scope_quarantined", values, work=work)
    statements.run(connection, "scope_affected", values, work=work)
    _index(connection, work.scope)
    was_judged = "select exists (select from quality.judged where entity = %s)"
    if connection.execute(was_judged, [work.entity]).fetchone()[0]:
        statements.run(connection, "scope_stand_ins", work=work)
    if only is not None:
        connection.execute(f"delete from {work.scope} where raw_id <> all(%s)", [list(only)])


def _index(connection: psycopg.Connection, table: str) -> None:
    """Records are found in a work table by an index, so that no plan compares all of two tables with each other."""
    connection.execute(f"create index on {table} ({RECORD})")
    connection.execute(f"analyze {table}")


def find_taken_keys(connection: psycopg.Connection, work: Work) -> None:
    """Fill `taken` with the rows in scope whose natural key another record holds.

    A stand-in holds nothing: it gives way to whoever has its key (`accepted.update`).
    """
    contract = contracts.load()[work.entity]
    same_key = " and ".join(f"o.{n} = {ddl.typed(contract[n], 'r')}" for n in contract.key)
    statements.run(connection, "taken_keys", {"entity": work.entity}, work=work, same_key=same_key)


def find_latest(connection: psycopg.Connection, catalogue: Catalogue, work: Work) -> None:
    """Fill `latest` of every entity whose newest versions the rules look up for the rows in scope."""
    contract = contracts.load()[work.entity]
    wanted: dict[str, list[Lookup]] = {}
    for lookup in catalogue.lookups:
        if lookup.child == work.entity and lookup.kind == "latest" and not lookup.is_key:
            wanted.setdefault(lookup.parent, []).append(lookup)
    for parent, lookups in wanted.items():
        other = contracts.load()[parent]
        names = sorted(frozenset().union(*(x.used for x in lookups)))
        keys = [x.to_fields for x in lookups]
        connection.execute(f"drop table if exists {work.latest(parent)}")
        statements.run(
            connection,
            "latest",
            work=work,
            parent=parent,
            columns=", ".join(f"{ddl.typed(other[n], 'v')} as {n}" for n in names),
            asked=[
                {"to": typed_list(other, x.to_fields, "v"), "own": typed_list(contract, x.own_fields, "r")}
                for x in lookups
            ],
            texts=sorted({n for key in keys for n in key if other[n].type == "string"}),
            longest=KEY_BYTES,
        )
        for key in sorted(set(keys)):
            connection.execute(f"create index on {work.latest(parent)} ({', '.join(key)})")
        connection.execute(
            f"analyze {work.latest(parent)} ({', '.join(sorted({n for key in keys for n in key}))})"
        )


def _touched(connection: psycopg.Connection, entity: str, batches: list[str]) -> str:
    """SQL condition on raw rows r: a version of a record with a version in these batches."""
    total = connection.execute("select count(*) from ops.batch where entity = %s", [entity]).fetchone()[0]
    if batches and len(batches) == total:  # the first load, or new rules: every record
        return "true"
    of_batches = f"select {RECORD} from raw.{entity} where batch_id = any(%(batches)s)"
    return f"(r.src_inst_code, r.src_record_id) in ({of_batches})"


def _note_affected(connection: psycopg.Connection, lookup: Lookup, fresh: list[str]) -> None:
    """Accepted rows whose rules look at a record that has just got a new version, by its old or its new values."""
    if not connection.execute(f"select exists (select 1 from accepted.{lookup.child})").fetchone()[0]:
        return
    parent = contracts.load()[lookup.parent]
    own = ", ".join(f"c.{n}" for n in lookup.own_fields)
    statements.run(
        connection,
        "note_affected_by_arrival",
        {"fresh": fresh},
        lookup=lookup,
        own=own,
        looked_up=typed_list(parent, lookup.to_fields, "r"),
    )
