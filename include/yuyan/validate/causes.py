"""Root causes of what stands (quality.cause): failures that one remedy mends, grouped in the database.

In order: children of one parent that nobody reported, or that waits in quarantine (of a chain the topmost); rows with one
unknown code; a rule that every eligible record of an institution breaks (a mapping or systematic error); a batch that fails
as a whole; the rest by rule and institution. The last two but one are taken for the cause only where that makes one group
of several.
"""

import psycopg

from yuyan import settings
from yuyan.domain import contracts, macros, structural
from yuyan.domain.catalogue import Catalogue
from yuyan.domain.contracts import Contract, Reference
from yuyan.validate import statements
from yuyan.warehouse import ddl

WHOLE_ROWS, WHOLE_BATCH_SHARE = 20, 0.9
"""All records of an institution, or a batch, fail as a whole from so many on; of a batch this share of its rows must."""

COLUMNS = (
    "kind", "src_inst_code", "entities", "rule_ids", "cause_entity", "cause_key", "cause_rule_ids", "batch_id",
    "observed_value", "failed_rows", "example_record_key", "message",
)  # fmt: skip
"""Columns of quality.cause that follow from what stands."""


def find(connection: psycopg.Connection, catalogue: Catalogue, run_id: str) -> int:
    """Group every standing failure by cause, note which causes are gone; returns how many stand. One transaction.

    A failure that ended before anybody grouped it has the cause that it was written with: its rule and institution.
    """
    with connection.transaction():
        statements.run(connection, "why")
        statements.run(connection, "whole_rules", {"rows": WHOLE_ROWS})
        broken = {
            (entity, rule_id)
            for entity, rule_id in connection.execute(
                "select distinct entity, rule_id from quality.row_failure where resolved_run_id is null"
            )
        }
        for entity in catalogue.order:  # parents first: a child takes over its parent's own cause
            contract = contracts.load()[entity]
            for reference in contract.references:
                if (entity, rule_id := structural.reference_id(contract, reference)) in broken:
                    _waiting(connection, contract, reference, rule_id)
            for field in contract.columns:
                if (entity, rule_id := f"QR.{entity}.{field.name}.4") in broken:
                    _unknown_codes(connection, rule_id, field)
        statements.run(connection, "why_single")
        statements.run(connection, "why_systematic")
        statements.run(connection, "why_batch", {"rows": WHOLE_ROWS, "share": WHOLE_BATCH_SHARE})
        return _record(connection, run_id)


def _waiting(connection: psycopg.Connection, contract: Contract, reference: Reference, rule_id: str) -> None:
    parent = contracts.load()[reference.entity]
    pairs = list(zip(reference.fields, reference.to_fields, strict=True))
    connection.execute("drop table if exists waiting_parent")
    statements.run(connection, "waiting_parents", parent=parent.entity)
    connection.execute("analyze waiting_parent")
    statements.run(
        connection,
        "why_parent",
        entity=contract.entity,
        parent=parent.entity,
        rule_id=rule_id,
        key=" || '|' || ".join(f"r.{name}" for name in reference.fields),
        is_there=" and ".join(f"a.{to} = {ddl.typed(contract[own])}" for own, to in pairs),
    )


def _unknown_codes(connection: psycopg.Connection, rule_id: str, field: contracts.Field) -> None:
    codes = macros.quote(sorted(contracts.code_sets()[field.code_set]))
    code = (
        f"(select min(i) from unnest(string_to_array(f.observed_value, ';')) as i where i not in ({codes}))"
        if field.type == "array"
        else "f.observed_value"
    )
    statements.run(connection, "why_code", rule_id=rule_id, code_set=field.code_set, code=code)


def _record(connection: psycopg.Connection, run_id: str) -> int:
    """Write quality.cause and quality.row_failure.cause_id from `why`; returns the causes that stand."""
    known = contracts.load().values()
    values = {
        "entities": [c.entity for c in known],
        "labels": [c.label for c in known],
        "is_municipal": [c.owner == "commission" for c in known],
        "commission": settings.COMMISSION,
        "run": run_id,
    }
    statements.run(connection, "cause", values)
    statements.run(connection, "note_causes")
    statements.run(connection, "write_causes", values, columns=COLUMNS)
    statements.run(connection, "resolve_causes", values)
    statements.run(connection, "write_ended_causes", values, columns=COLUMNS)
    return connection.execute("select count(*) from cause").fetchone()[0]
