"""What schema ops says of loaded batches: the batch itself, the watermark, drift, normalised values, changed keys."""

from datetime import date
from typing import Protocol

import polars as pl
import psycopg

from yuyan.collect import mapping as mapped
from yuyan.collect.source import KEY_CHANGES
from yuyan.domain import keys
from yuyan.load.batch import Batch


class Counts(Protocol):
    """Rows of a batch by what became of them, see loader.Loaded."""

    received: int
    stored: int
    unchanged: int
    repeated: int
    tombstoned: int

    @property
    def superseded(self) -> int: ...


def record_batch(
    connection: psycopg.Connection, batch: Batch, counts: Counts, run_id: str, as_of: date, cursor: str | None
) -> None:
    """Batch record, watermark, drift and key changes."""
    manifest, inst_code, entity = batch.landed.manifest, batch.mapping.inst_code, batch.contract.entity
    connection.execute(
        "insert into ops.batch (batch_id, run_id, src_inst_code, entity, product, mode, ref_period, window_from, "
        "window_to, landing_uri, payload_digest, rows_received, rows_stored, rows_unchanged, rows_superseded, "
        "rows_repeated, rows_tombstoned, as_of, mapping_version, file_name) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            *(batch.batch_id, run_id, inst_code, entity, manifest["product"], batch.mode),
            *(manifest["ref_period"], manifest["window_from"], manifest["window_to"]),
            *(batch.landed.uri, manifest["payload_digest"]),
            *(counts.received, counts.stored, counts.unchanged, counts.superseded),
            *(counts.repeated, counts.tombstoned),
            as_of,
            mapped.version(batch.mapping),
            manifest.get("file_name"),  # batches that were landed earlier have none
        ],
    )
    if batch.correction:
        return
    if cursor is not None:
        set_watermark(connection, inst_code, entity, cursor, as_of, batch.batch_id)
    record_drift(connection, run_id, inst_code, entity, manifest["drift"])
    with connection.cursor() as out:
        out.executemany(
            "insert into ops.normalised values (%s, %s, %s, %s, %s) on conflict (run_id, src_inst_code, entity, field) "
            "do update set rows = ops.normalised.rows + excluded.rows",
            [(run_id, inst_code, entity, name, rows) for name, rows in batch.normalised.items()],
        )
    if manifest["rows"].get(KEY_CHANGES):
        _record_key_changes(connection, batch)


def set_watermark(
    connection: psycopg.Connection,
    inst_code: str,
    entity: str,
    cursor: str,
    as_of: date,
    batch_id: str | None = None,
) -> None:
    """Move the cursor of an entity; without `batch_id` (an empty window) the last batch stays noted."""
    connection.execute(
        "insert into ops.watermark values (%s, %s, %s, coalesce(%s, ''), %s) on conflict (src_inst_code, entity) "
        "do update set cursor_value = excluded.cursor_value, as_of = excluded.as_of, "
        "batch_id = coalesce(%s, ops.watermark.batch_id)",
        [inst_code, entity, cursor, batch_id, as_of, batch_id],
    )


def record_drift(
    connection: psycopg.Connection,
    run_id: str,
    inst_code: str,
    entity: str,
    drift: dict[str, tuple[str, int]],
) -> None:
    """Store where a source's fields differ from the contract; several batches of a run add up."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.schema_drift values (%s, %s, %s, %s, %s, %s) "
            "on conflict (run_id, src_inst_code, entity, field) "
            "do update set kind = excluded.kind, rows = ops.schema_drift.rows + excluded.rows",
            [
                (run_id, inst_code, entity, keys.bounded(name), kind, rows)
                for name, (kind, rows) in drift.items()
            ],
        )


def _record_key_changes(connection: psycopg.Connection, batch: Batch) -> None:
    mapping = batch.mapping
    with batch.landed.open() as file:
        columns = ["_feed", *mapping.record_id, mapping.version_column, "old_key", "new_key"]
        frame = pl.read_parquet(file, columns=columns)
    changes = frame.filter(pl.col("_feed") == KEY_CHANGES).select(
        mapped.record_id(mapping).alias("id"), "old_key", "new_key", mapped.source_version(mapping, None)
    )
    changes = changes.with_columns(mapped.bounded(changes["id"]))
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.key_change select n.* from (values (%s, %s, %s, %s, %s, %s, %s::bigint)) "
            "n (batch_id, src_inst_code, entity, src_record_id, old_key, new_key, source_version) where not exists "
            "(select from ops.key_change k where (k.src_inst_code, k.entity, k.src_record_id, k.source_version) "
            "= (n.src_inst_code, n.entity, n.src_record_id, n.source_version)) on conflict do nothing",
            [(batch.batch_id, mapping.inst_code, batch.contract.entity, *row) for row in changes.iter_rows()],
        )
