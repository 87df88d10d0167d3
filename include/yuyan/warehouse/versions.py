"""Which rows of a batch are new: newest within the batch, compared with the versions that raw holds.

Frames here are narrow (record id, version, digest, marks: some sixty bytes a record), so that a batch of any size fits.
"""

import io

import polars as pl
import psycopg
import pyarrow.parquet as pq
from psycopg import sql

from yuyan.collect.source import DELETES, KEY_CHANGES
from yuyan.institutions import EntityMap
from yuyan.warehouse import mapping as mapped

FEW = 20_000
"""Up to this many records, held versions are looked up one by one; beyond, all of the institution's are read."""

_HELD = {
    "id": pl.String,
    "held_version": pl.Int64,
    "held_hash": pl.String,
    "held_gone": pl.Boolean,
    "ref_period": pl.String,
}

_NEWEST = """
copy (
    select distinct on (r.src_record_id) r.src_record_id, r.source_version, encode(r.row_hash, 'hex'),
        case when r.is_deleted then 'true' else 'false' end, b.ref_period
    from raw.{entity} r left join ops.batch b using (batch_id)
    where r.src_inst_code = {inst_code} {some}
    order by r.src_record_id, r.source_version desc, r.raw_id desc
) to stdout (format csv)
"""


class NamelessRows(ValueError):
    """Rows without a record id; `args` are how many and the number of the first."""


def index(parquet: pq.ParquetFile, mapping: EntityMap, delivery: int | None) -> pl.DataFrame:
    """Position, id, version and deletion mark of every row of a landed file but key changes. Raises NamelessRows."""
    names = dict.fromkeys(
        n for n in (mapping.record_id, mapping.version_column, mapping.deleted, "_feed") if n
    )
    frame = pl.from_arrow(parquet.read(list(names))).with_row_index("position")
    rows = frame.filter(pl.col("_feed") != KEY_CHANGES).select(
        "position",
        pl.col(mapping.record_id).alias("id"),
        version(mapping, delivery),
        gone(mapping).alias("gone"),
    )
    nameless = rows.filter(pl.col("id").is_null() | (pl.col("id") == ""))
    if nameless.height:
        raise NamelessRows(nameless.height, nameless["position"][0] + 1)
    return rows


def version(mapping: EntityMap, delivery: int | None) -> pl.Expr:
    """The version order of a row; 0 where the source's value cannot be read, so that any readable one is newer."""
    return mapped.source_version(mapping, delivery).fill_null(0).alias("version")


def gone(mapping: EntityMap) -> pl.Expr:
    """Whether a row ends its record: marked by the source, or from the deletes feed."""
    return mapped.is_deleted(mapping) | (pl.col("_feed") == DELETES)


def winners(rows: pl.DataFrame) -> pl.Series | None:
    """Positions of the rows that are the newest of their record (of two alike, the later); None if all are."""
    if not rows["id"].is_duplicated().any():
        return None
    return rows.sort("version", "position").unique("id", keep="last")["position"]


def held(
    connection: psycopg.Connection, inst_code: str, entity: str, rows: pl.DataFrame, everything: bool
) -> pl.DataFrame:
    """Newest versions that raw holds: of the records in `rows`, or of all the institution's."""
    ids = rows["id"].unique()
    some = sql.SQL("")
    if not everything and ids.len() <= FEW:
        some = sql.SQL("and r.src_record_id = any({})").format(ids.to_list())
    query = sql.SQL(_NEWEST).format(entity=sql.Identifier(entity), inst_code=inst_code, some=some)
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        text = b"".join(map(bytes, copy))
    if not text:
        return pl.DataFrame(schema=_HELD)
    return pl.read_csv(io.BytesIO(text), has_header=False, schema=_HELD)


def keep(rows: pl.DataFrame, held: pl.DataFrame, correction: bool) -> tuple[pl.DataFrame, int, int]:
    """The rows to store (told by id, version, hash), and how many are unchanged and superseded.

    Same digest: unchanged. Older than what is held: superseded. The same version with another digest replaces it: a mapping
    was corrected, or a record that had been missing is there again. A correction of old data brings nothing back.
    """
    if held.is_empty():
        return rows, 0, 0
    rows = rows.join(held, on="id", how="left", maintain_order="left")
    same = (pl.col("hash") == pl.col("held_hash")).fill_null(False)
    older = pl.col("version") < pl.col("held_version")
    if correction:
        older |= pl.col("held_gone")
    older = older.fill_null(False)
    unchanged = rows.filter(same).height
    superseded = rows.filter(~same & older).height
    return rows.filter(~same & ~older), unchanged, superseded


def after(held: pl.DataFrame, stored: list[pl.DataFrame], ref_period: str) -> pl.DataFrame:
    """What raw holds once these rows (id, version, hash, is_deleted) of a batch are stored."""
    new = pl.concat(stored).select(
        "id",
        pl.col("version").alias("held_version"),
        pl.col("hash").alias("held_hash"),
        (pl.col("is_deleted") == "t").alias("held_gone"),
        pl.lit(ref_period).alias("ref_period"),
    )
    return pl.concat([held.join(new, on="id", how="anti"), new])


def missing(rows: pl.DataFrame, held: pl.DataFrame, ref_period: str | None) -> pl.DataFrame:
    """Held live records that a complete listing (of a period) does not have."""
    absent = held.filter(~pl.col("held_gone")).join(rows.select("id"), on="id", how="anti")
    return absent if ref_period is None else absent.filter(pl.col("ref_period") == ref_period)


def live_count(connection: psycopg.Connection, inst_code: str, entity: str) -> int:
    """Records of an institution whose newest version is not a deletion."""
    query = sql.SQL(
        "select count(*) filter (where not is_deleted) from (select distinct on (src_record_id) is_deleted "
        "from raw.{} where src_inst_code = %s order by src_record_id, source_version desc, raw_id desc) newest"
    ).format(sql.Identifier(entity))
    return connection.execute(query, [inst_code]).fetchone()[0]
