"""Which rows of a batch are new: newest within the batch, compared with the versions that raw holds.

`rows` of a batch have id, version, row_no, gone (ends its record) and hash; `held` is narrow, some sixty bytes a record.
"""

import io
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from yuyan.warehouse import records

_HELD = {
    "id": pl.String,
    "held_version": pl.Int64,
    "held_hash": pl.String,
    "held_gone": pl.Boolean,
    "ref_period": pl.String,
}

_HASHES = """r.src_record_id, r.source_version, encode(r.row_hash, 'hex'),
    case when r.is_deleted then 'true' else 'false' end, b.ref_period"""


def newest(rows: pl.DataFrame) -> pl.DataFrame:
    """The newest row of every record in a batch (of two alike, the later), in the batch's order."""
    if not rows["id"].is_duplicated().any():
        return rows
    return rows.sort("version", "row_no").unique("id", keep="last").sort("row_no")


def held(connection: psycopg.Connection, inst_code: str, entity: str, ids: pl.Series | None) -> pl.DataFrame:
    """Newest versions that raw holds of an institution: of these records, looked up in the index, or of all (None).

    However many are asked for, none is read but these: a window's cost grows with its rows, not with all that is held.
    """
    where = "r.src_inst_code = {inst_code}" + ("" if ids is None else " and r.src_record_id = any({ids})")
    select = records.newest(entity, _HASHES, where, "left join ops.batch b using (batch_id)")
    query = sql.SQL(f"copy ({select}) to stdout (format csv)").format(
        inst_code=inst_code, ids=None if ids is None else ids.unique().to_list()
    )
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        text = b"".join(map(bytes, copy))
    if not text:
        return pl.DataFrame(schema=_HELD)
    return pl.read_csv(io.BytesIO(text), has_header=False, schema=_HELD)


def keep(rows: pl.DataFrame, held: pl.DataFrame, correction: bool) -> tuple[pl.DataFrame, int]:
    """The rows to store, with `was_live` (raw holds a live version), and how many are unchanged; the others are superseded.

    Same digest: unchanged. Older than what is held: superseded. The same version with another digest replaces it: a mapping
    was corrected, or a record that had been missing is there again. A correction of old data brings nothing back.
    """
    held = held.join(rows, on="id", how="semi")
    if held.is_empty():
        return rows.with_columns(was_live=False), 0
    compared = rows.join(held, on="id", how="left", maintain_order="left")
    same = (pl.col("hash") == pl.col("held_hash")).fill_null(False)
    older = pl.col("version") < pl.col("held_version")
    if correction:
        older |= pl.col("held_gone")
    was_live = (~pl.col("held_gone")).fill_null(False).alias("was_live")
    new = compared.filter(~same & ~older.fill_null(False)).select(*rows.columns, was_live)
    return new, compared.filter(same).height


def after(held: pl.DataFrame, new: pl.DataFrame, ref_period: str) -> pl.DataFrame:
    """What raw holds once these rows are stored."""
    now = new.select(
        "id",
        pl.col("version").alias("held_version"),
        pl.col("hash").alias("held_hash"),
        pl.col("gone").alias("held_gone"),
        pl.lit(ref_period).alias("ref_period"),
    )
    return pl.concat([held.join(now, on="id", how="anti"), now])


def missing(listed: pl.DataFrame, held: pl.DataFrame, ref_period: str | None) -> pl.DataFrame:
    """Held live records (of a period) that a complete listing does not have."""
    absent = held.filter(~pl.col("held_gone")).join(listed, on="id", how="anti")
    return absent if ref_period is None else absent.filter(pl.col("ref_period") == ref_period)


def has_any(connection: psycopg.Connection, inst_code: str, entity: str) -> bool:
    """Whether raw holds anything of an institution's entity."""
    query = sql.SQL("select exists (select from raw.{} where src_inst_code = %s)").format(
        sql.Identifier(entity)
    )
    return connection.execute(query, [inst_code]).fetchone()[0]


def live_count(
    connection: psycopg.Connection, inst_code: str, entity: str, at_most: int | None = None
) -> int:
    """Records of an institution whose newest version is not a deletion; `at_most` ends the counting there."""
    newest = records.newest(entity, "r.is_deleted", "r.src_inst_code = %s")
    query = f"select count(*) from (select from ({newest}) n where not n.is_deleted limit %s) live"
    return connection.execute(query, [inst_code, at_most]).fetchone()[0]


def returned(
    connection: psycopg.Connection, inst_code: str, entity: str, changed: pl.DataFrame, batches: list[str]
) -> int:
    """How many of these changed records (id, hash) have the content of an earlier version of theirs.

    `batches` are those just loaded: their versions are no earlier ones.
    """
    query = sql.SQL(
        "select count(*) from unnest(%s::text[], %s::text[]) as changed (id, hash) where exists (select from raw.{} r "
        "where r.src_inst_code = %s and r.src_record_id = changed.id and r.row_hash = decode(changed.hash, 'hex') "
        "and not r.is_deleted and r.batch_id <> all(%s))"
    ).format(sql.Identifier(entity))
    columns = [changed[name].to_list() for name in ("id", "hash")]
    return connection.execute(query, [*columns, inst_code, batches]).fetchone()[0]


def delivered_before(connection: psycopg.Connection, manifest: dict[str, Any]) -> bool:
    """Whether a file of the same content was loaded for the same period from another delivery."""
    query = (
        "select exists (select from ops.batch where src_inst_code = %(src_inst_code)s and entity = %(entity)s "
        "and mode = 'replace' and ref_period = %(ref_period)s and window_to = %(window_to)s "
        "and window_from <> %(window_from)s and rows_received > 0)"
    )
    return connection.execute(query, manifest).fetchone()[0]
