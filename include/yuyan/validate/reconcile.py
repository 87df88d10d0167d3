"""Reconciliation of every batch, counted in the warehouse: received = accepted + quarantined + unchanged + superseded."""

import psycopg

from yuyan import settings
from yuyan.domain import contracts
from yuyan.validate import statements


class ReconciliationError(RuntimeError):
    """A batch whose rows do not add up; the message names the batches, their figures and what to do."""


def reconcile(run_id: str) -> int:
    """Check every batch, store the figures of those that this run touched or that do not balance; returns batches checked.

    Accepted and quarantined are counted from raw and quality.quarantine, not taken from what the load reported, so a
    lost or added row shows. A batch loaded after the run began and not judged yet is left to
    the next run, and so is one of an entity that could not be judged (quality.unjudged); another that was never judged has
    nothing accepted. Raises ReconciliationError, after the
    figures are stored, when a batch does not balance.

    >>> reconcile("run-1")
    970
    """
    with psycopg.connect(settings.warehouse_dsn()) as connection:
        connection.execute(
            "create temp table counted (entity text, batch_id text, rows bigint) on commit drop"
        )
        for entity in contracts.load():
            connection.execute(
                f"insert into counted select %s, batch_id, count(*) from raw.{entity} group by batch_id",
                [entity],
            )
        statements.run(connection, "reconciled", {"run": run_id})
        statements.run(connection, "write_reconciliation", {"run": run_id})
        (checked,) = connection.execute("select count(*) from reconciled").fetchone()
        wrong = statements.run(connection, "unbalanced").fetchall()
        connection.commit()
    if wrong:
        raise ReconciliationError(
            f"{len(wrong)} of {checked} batches do not add up: {'; '.join(text for (text,) in wrong[:20])}. "
            "Rows were lost or added after the load, though raw is append-only: compare with the landed files of these "
            "batches and restore the warehouse (docs/how-to/rerun-and-replay.md)."
        )
    return checked
