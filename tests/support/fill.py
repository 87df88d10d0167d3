"""Puts records straight into raw as collect and load would: pseudonymised, keyed, numbered, in batches."""

import hashlib
import hmac
import io
from collections.abc import Mapping
from datetime import date

import polars as pl
import psycopg

from yuyan.domain import contracts

AS_OF = date(2026, 10, 15)


def load(
    connection: psycopg.Connection,
    frames: Mapping[str, pl.DataFrame],
    run_id: str = "load-1",
    as_of: date = AS_OF,
) -> int:
    """Append frames to raw, a batch per source and entity; returns the rows.

    Columns: src_inst_code, src_record_id, change_version, is_deleted and the supplied fields, all text.
    """
    rows = 0
    for entity, frame in frames.items():
        if len(frame):
            _append(connection, entity, _pseudonymised(entity, frame), run_id, as_of)
            rows += len(frame)
    return rows


def _append(
    connection: psycopg.Connection, entity: str, frame: pl.DataFrame, run_id: str, as_of: date
) -> None:
    contract = contracts.load()[entity]
    fields = [f.name for f in contract.columns]
    prepared = frame.select(
        "src_inst_code",
        "src_record_id",
        pl.concat_str([pl.col(n).replace("", None) for n in contract.key], separator="|").alias("record_key"),
        pl.col("change_version").alias("source_version"),
        "is_deleted",
        pl.lit("\\x00").alias("row_hash"),
        (pl.lit(f"{run_id}-{entity}-") + pl.col("src_inst_code")).alias("batch_id"),
        pl.int_range(1, pl.len() + 1).over("src_inst_code").alias("row_no"),
        pl.lit(str(as_of)).alias("as_of"),
        *fields,
    )
    buffer = io.BytesIO()
    prepared.write_csv(buffer)
    with connection.cursor() as cursor:
        with cursor.copy(
            f"copy raw.{entity} ({', '.join(prepared.columns)}) from stdin (format csv, header)"
        ) as copy:
            copy.write(buffer.getvalue())
        cursor.execute(
            "insert into ops.batch (batch_id, run_id, src_inst_code, entity, product, mode, landing_uri, payload_digest, "
            "rows_received, rows_stored, rows_unchanged, rows_superseded, as_of) select batch_id, %(run)s, src_inst_code, "
            "%(entity)s, 'rest-versioned', 'incremental', '', '', count(*), count(*), 0, 0, %(day)s "
            f"from raw.{entity} where batch_id like %(like)s group by batch_id, src_inst_code",
            {"run": run_id, "entity": entity, "day": as_of, "like": f"{run_id}-{entity}-%"},
        )
    connection.commit()


def _pseudonymised(entity: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Certificate numbers become keyed hashes; direct identifiers are dropped by the caller's choice of columns."""
    contract = contracts.load()[entity]
    for field in contract.fields:
        if field.privacy == "pseudonymise" and field.name in frame.columns:
            values = frame[field.name].unique().drop_nulls()
            keys = [hmac.new(b"test", v.encode(), hashlib.sha256).hexdigest() for v in values]
            hashed = pl.col(field.name).replace_strict(values, keys, default=None, return_dtype=pl.String)
            is_word, is_given = pl.col(field.name) == "无", pl.col(field.name).is_not_null()
            version = pl.when(is_word).then(pl.lit("0")).when(is_given).then(pl.lit("1"))
            frame = frame.with_columns(
                pl.when(~is_word).then(hashed).alias(field.becomes),
                version.alias(f"{field.becomes}_version"),
            )
    for field in contract.columns:
        if field.derived and field.name not in frame.columns:
            frame = frame.with_columns(pl.lit("1").alias(field.name))
    return frame
