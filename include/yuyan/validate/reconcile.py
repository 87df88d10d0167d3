"""Reconciliation, counted in the warehouse: of every batch by rows, of every complete listing by keys.

received = accepted + quarantined + unchanged + superseded              (ops.reconciliation, by batch)
listed   = accepted + quarantined + deleted since + waiting             (ops.key_reconciliation, by institution and entity)
"""

import io

import polars as pl
import psycopg

from yuyan import settings
from yuyan.collect import landing
from yuyan.domain import contracts, institutions
from yuyan.validate import statements


class ReconciliationError(RuntimeError):
    """Rows or records that do not add up; the message names them, their figures and what to do."""


def reconcile(run_id: str) -> int:
    """Check every batch, store the figures of those that this run touched or that do not balance; returns batches checked.

    Accepted and quarantined are counted from raw and quality.quarantine, not taken from what the load reported, so a
    lost or added row shows. A batch loaded after the run began and not judged yet is left to
    the next run, and so is one of an entity that could not be judged (quality.unjudged); another that was never judged has
    nothing accepted. Then every record that a complete listing showed is looked for, see `_reconcile_keys`. Raises
    ReconciliationError, after the figures are stored, when a batch does not balance or a record is lost.

    >>> reconcile("run-1")
    970
    """
    with psycopg.connect(settings.warehouse_dsn("validate")) as connection:
        connection.execute(
            "create temp table counted (entity text, batch_id text, rows bigint) on commit drop"
        )
        for entity in contracts.load():
            connection.execute(
                f"insert into counted select %s, batch_id, count(*) from raw.{entity} group by batch_id",
                [entity],
            )
        statements.run(connection, "reconciled", {"run": run_id})
        statements.run(connection, "listings", {"run": run_id})
        statements.run(connection, "write_reconciliation", {"run": run_id})
        (checked,) = connection.execute("select count(*) from reconciled").fetchone()
        wrong = statements.run(connection, "unbalanced").fetchall()
        _reconcile_keys(connection, run_id)
        lost = statements.run(connection, "unbalanced_keys", {"run": run_id}).fetchall()
        connection.commit()
    faults = []
    if wrong:
        faults.append(
            f"{len(wrong)} of {checked} batches do not add up: {'; '.join(text for (text,) in wrong[:20])}."
        )
    if lost:
        faults.append(f"records of complete listings are lost: {'; '.join(text for (text,) in lost[:20])}.")
    if faults:
        raise ReconciliationError(
            f"{' '.join(faults)} "
            "Rows were lost or added after the load, though raw is append-only: compare with the landed files of these "
            "batches and restore the warehouse (docs/how-to/rerun-and-replay.md)."
        )
    return checked


def _reconcile_keys(connection: psycopg.Connection, run_id: str) -> None:
    """Look for every record that the complete listings of this reconciliation showed, as landing has them.

    Linear in what was listed: each landed batch is read once, its record ids only, and each entity is joined once. A batch
    that cannot be read any more is counted, not looked for.
    """
    known = institutions.load()
    batches = connection.execute(
        "select entity, src_inst_code, batch_id, landing_uri, listing from listing_batch order by loaded_at, batch_id"
    ).fetchall()
    for entity in dict.fromkeys(b[0] for b in batches):
        contract, found, unread = contracts.load()[entity], [], {}
        for _, inst_code, _, uri, listing in (b for b in batches if b[0] == entity):
            try:
                mapping = known[inst_code].mapping(contract)
                ids = landing.listed_ids(landing.find(uri), mapping)
            except (KeyError, institutions.InstitutionError, FileNotFoundError, landing.DamagedBatch):
                unread[inst_code] = unread.get(inst_code, 0) + 1
                continue
            found.append(pl.select(pl.lit(inst_code).alias("inst"), pl.lit(ids).alias("id"), listing=listing))
        if found:
            _find(connection, run_id, entity, pl.concat(found).unique(["inst", "id"], keep="last"))
        for inst_code, count in unread.items():
            connection.execute(
                "insert into ops.key_reconciliation (run_id, src_inst_code, entity, listed, accepted, quarantined, deleted, "
                "waiting, unread_batches) values (%s, %s, %s, 0, 0, 0, 0, 0, %s) "
                "on conflict (run_id, src_inst_code, entity) do update set unread_batches = excluded.unread_batches",
                [run_id, inst_code, entity, count],
            )


def _find(connection: psycopg.Connection, run_id: str, entity: str, listed: pl.DataFrame) -> None:
    """Count what became of listed records (inst, id, listing) of an entity."""
    connection.execute("drop table if exists listed")
    connection.execute(
        "create temp table listed (src_inst_code text, src_record_id text, listing bigint) on commit drop"
    )
    text = io.BytesIO()
    listed.write_csv(text, include_header=False)
    with (
        connection.cursor() as cursor,
        cursor.copy("copy listed from stdin (format csv, force_not_null (src_record_id))") as copy,
    ):
        copy.write(text.getvalue())
    connection.execute("analyze listed")
    statements.run(connection, "key_balance", {"run": run_id, "entity": entity}, entity=entity)
