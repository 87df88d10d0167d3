"""Load a landed batch into raw: map, compare with what is held, COPY what is new — all in one transaction.

Rows, tombstones, batch record, watermark, drift and key changes commit together or not at all. A batch loads once: a second
time it is recognised by its id. A record's newest version is the one with the greatest (source_version, raw_id).
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import psycopg
import pyarrow.parquet as pq
from psycopg import sql

from yuyan.ahead import ahead
from yuyan.collect.landing import Landed
from yuyan.collect.source import DELETES, KEY_CHANGES
from yuyan.contracts import Contract
from yuyan.institutions import EntityMap
from yuyan.warehouse import lines, mapping as mapped

FEW = 20_000
"""Up to this many records, held versions are looked up one by one; beyond, all of the institution's are read."""

_META = (
    "src_inst_code",
    "src_record_id",
    "record_key",
    "source_version",
    "row_hash",
    "batch_id",
    "row_no",
    "as_of",
    "is_deleted",
)
_HELD = {
    "id": pl.String,
    "version": pl.Int64,
    "held_hash": pl.String,
    "gone": pl.Boolean,
    "ref_period": pl.String,
}


class LoadError(RuntimeError):
    """A batch that must not be loaded; the last good data stay. The message says what to do."""


@dataclass
class Loaded:
    """What became of a batch: `received = stored + unchanged + superseded`; `tombstoned` is the loader's own addition."""

    batch_id: str
    received: int = 0
    stored: int = 0
    unchanged: int = 0
    superseded: int = 0
    tombstoned: int = 0
    again: bool = False
    """The batch had been loaded before; nothing was done."""


@dataclass
class Batch:
    """A landed batch on its way into raw."""

    landed: Landed
    contract: Contract
    mapping: EntityMap
    batch_id: str
    run_id: str
    as_of: Any
    mode: str
    counts: Loaded = field(init=False)

    def __post_init__(self) -> None:
        self.counts = Loaded(self.batch_id)

    @property
    def inst_code(self) -> str:
        return self.mapping.inst_code

    @property
    def who(self) -> str:
        return f"{self.inst_code} {self.contract.entity} 批次 {self.batch_id}"


def load(
    connection: psycopg.Connection,
    landed: Landed,
    contract: Contract,
    mapping: EntityMap,
    run_id: str,
    as_of: Any,
    cursor: str | None = None,
    correction: str | None = None,
) -> Loaded:
    """Load a landed batch and move the watermark to `cursor` (None: leave it). `connection` is in autocommit mode.

    `correction` is the id under which an earlier batch is mapped anew: it removes nothing. Raises LoadError.
    """
    manifest = landed.manifest
    mode = "incremental" if correction else manifest["mode"]
    batch = Batch(landed, contract, mapping, correction or landed.batch_id, run_id, as_of, mode)
    with connection.transaction():
        connection.execute(
            "select pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"{batch.inst_code}/{contract.entity}"]
        )
        if _is_loaded(connection, batch.batch_id):
            batch.counts.again = True
            return batch.counts
        with landed.open() as file:
            _append(connection, pq.ParquetFile(file), batch)
        _record(connection, batch, cursor)
    return batch.counts


def _append(connection: psycopg.Connection, parquet: pq.ParquetFile, batch: Batch) -> None:
    """COPY new versions and tombstones; fills the batch's counts."""
    index = _index(parquet, batch)
    batch.counts.received = index.height
    held = _held(connection, batch, index)
    winners = _winners(index)
    missing = _missing(batch, index, held) if batch.mode in ("full", "replace") else held.clear()
    names = [*_META, *(f.name for f in batch.contract.columns)]
    target = sql.SQL("copy {}.{} ({}) from stdin").format(
        sql.Identifier("raw"),
        sql.Identifier(batch.contract.entity),
        sql.SQL(", ").join(map(sql.Identifier, names)),
    )
    held = held.select("id", "version", "held_hash")
    with connection.cursor() as cursor, cursor.copy(target) as copy:
        for text in ahead(_lines(parquet, batch, winners, held, missing)):
            copy.write(lines.buffer(text))


def _lines(
    parquet: pq.ParquetFile,
    batch: Batch,
    winners: pl.Series | None,
    held: pl.DataFrame,
    missing: pl.DataFrame,
) -> Iterator[pl.Series]:
    """COPY lines of the rows to store, chunk by chunk, and of the tombstones for missing records."""
    start = 0
    for group in range(parquet.num_row_groups):
        chunk = pl.from_arrow(parquet.read_row_group(group)).with_columns(row_no=pl.int_range(pl.len()) + start + 1)
        if winners is not None:
            chunk = chunk.with_columns(wins=winners.slice(start, chunk.height))
        start += chunk.height
        rows = _mapped(chunk.filter(pl.col("_feed") != KEY_CHANGES), batch)
        text = lines.copy_text(rows.select("is_deleted", *(f.name for f in batch.contract.columns)))
        rows = rows.select(
            "id", "version", "record_key", "row_no", "wins", hash=lines.digests(text), text=text
        )
        rows = _new(rows, held, batch.counts)
        if rows.height:
            yield _line(rows, batch)
    if missing.height:
        yield _line(_tombstones(missing, batch), batch)


def _mapped(chunk: pl.DataFrame, batch: Batch) -> pl.DataFrame:
    mapping, version = batch.mapping, batch.landed.manifest["version"]
    gone = mapped.is_deleted(mapping) | (pl.col("_feed") == DELETES)
    wins = pl.col("wins") if "wins" in chunk.columns else pl.lit(True).alias("wins")
    return chunk.select(
        "row_no",
        wins,
        pl.col(mapping.record_id).alias("id"),
        mapped.source_version(mapping, version).fill_null(0).alias("version"),
        pl.when(gone).then(pl.lit("t")).otherwise(pl.lit("f")).alias("is_deleted"),
        *mapped.columns(batch.contract, mapping),
    ).with_columns(record_key=mapped.record_key(batch.contract))


def _new(rows: pl.DataFrame, held: pl.DataFrame, counts: Loaded) -> pl.DataFrame:
    """The rows to store, counted against those that are held already.

    Same digest: unchanged. An older version: superseded. The same version with another digest replaces it (a mapping corrected,
    a record that had been missing).
    """
    total = rows.height
    rows = rows.filter("wins")
    counts.superseded += total - rows.height
    if held.height:
        rows = rows.join(held, on="id", how="left", suffix="_held", maintain_order="left")
        same = (pl.col("hash") == pl.col("held_hash")).fill_null(False)
        older = (pl.col("version") < pl.col("version_held")).fill_null(False)
        counts.unchanged += rows.filter(same).height
        counts.superseded += rows.filter(~same & older).height
        rows = rows.filter(~same & ~older)
    counts.stored += rows.height
    return rows


def _line(rows: pl.DataFrame, batch: Batch) -> pl.Series:
    """Whole COPY lines in the order of _META and the contract; `text` holds the deletion mark and the business columns."""
    keys = lines.copy_text(rows.select("id", "record_key"))
    head = pl.concat_str(
        pl.lit(batch.inst_code),
        pl.lit(keys),
        "version",
        pl.lit(r"\\x") + pl.col("hash"),
        pl.lit(batch.batch_id),
        "row_no",
        pl.lit(str(batch.as_of)),
        separator="\t",
    )
    return rows.select(pl.concat_str(head, pl.lit("\t"), "text", pl.lit("\n"))).to_series()


def _tombstones(missing: pl.DataFrame, batch: Batch) -> pl.DataFrame:
    """Rows that end records which a complete listing no longer has. Each takes the version it ends, so that the record
    comes back whenever the source lists it again, at whatever version."""
    batch.counts.tombstoned = missing.height
    empty = missing.select(
        pl.lit("t").alias("is_deleted"),
        *(pl.lit(None, pl.String).alias(f.name) for f in batch.contract.columns),
    )
    text = lines.copy_text(empty)
    return missing.select(
        "id",
        "version",
        pl.lit(None, pl.String).alias("record_key"),
        pl.lit(0).alias("row_no"),
        hash=lines.digests(text),
        text=text,
    )


def _index(parquet: pq.ParquetFile, batch: Batch) -> pl.DataFrame:
    """Id, version and deletion mark of every row but key changes; the only columns that are held for a whole batch."""
    mapping = batch.mapping
    names = dict.fromkeys(
        n for n in (mapping.record_id, mapping.version_column, mapping.deleted, "_feed") if n
    )
    frame = pl.from_arrow(parquet.read(list(names)))
    index = frame.with_row_index("position").filter(pl.col("_feed") != KEY_CHANGES).select(
        "position",
        pl.col(mapping.record_id).alias("id"),
        mapped.source_version(mapping, batch.landed.manifest["version"]).fill_null(0).alias("version"),
        (mapped.is_deleted(mapping) | (pl.col("_feed") == DELETES)).alias("gone"),
    )  # fmt: skip
    nameless = index.filter(pl.col("id").is_null() | (pl.col("id") == ""))
    if nameless.height:
        first = nameless["position"][0] + 1
        raise LoadError(
            f"{batch.who}：{nameless.height} 行没有记录编号（首行为第 {first} 行），整批未装载，请报送单位补齐 {mapping.record_id}。/ "
            f"{nameless.height} rows without a record id (first: row {first}); not loaded, ask the institution to supply it"
        )
    return index


def _winners(index: pl.DataFrame) -> pl.Series | None:
    """Per row of the file, whether it is the newest of its record in this batch; None if every row is."""
    if not index["id"].is_duplicated().any():
        return None
    best = index.sort("version", "position").unique("id", keep="last")["position"]
    return pl.select(pl.int_range(index["position"].max() + 1).is_in(best.implode())).to_series()


def _held(connection: psycopg.Connection, batch: Batch, index: pl.DataFrame) -> pl.DataFrame:
    """Newest held versions: of the batch's records, or of all the institution's when absence has a meaning."""
    ids = index["id"].unique()
    some = batch.mode == "incremental" and ids.len() <= FEW
    query = sql.SQL(
        "copy (select distinct on (r.src_record_id) r.src_record_id, r.source_version, encode(r.row_hash, 'hex'), "
        "case when r.is_deleted then 'true' else 'false' end, b.ref_period from raw.{} r left join ops.batch b using (batch_id) where r.src_inst_code = {} {} "
        "order by r.src_record_id, r.source_version desc, r.raw_id desc) to stdout (format csv)"
    ).format(
        sql.Identifier(batch.contract.entity),
        batch.inst_code,
        sql.SQL("and r.src_record_id = any({})").format(ids.to_list()) if some else sql.SQL(""),
    )
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        text = b"".join(bytes(part) for part in copy)
    if not text:
        return pl.DataFrame(schema=_HELD)
    return pl.read_csv(io.BytesIO(text), has_header=False, schema=_HELD)


def _missing(batch: Batch, index: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """Live held records (of the period) that the complete listing does not have. Raises LoadError rather than empty an entity."""
    living = held.filter(~pl.col("gone"))
    missing = living.join(index.select("id"), on="id", how="anti")
    if batch.mode == "replace":
        missing = missing.filter(pl.col("ref_period") == batch.landed.manifest["ref_period"])
    delivered = index.filter(~pl.col("gone")).height
    if missing.height and missing.height == living.height and not delivered:
        raise LoadError(
            f"{batch.who}：来源为空，但仓库中有 {living.height} 条有效记录；为防误删未装载，上一次的数据保持不变。"
            "请报送单位确认是否真的清空。/ "
            f"the source is empty but {living.height} records are held; not loaded, ask the institution whether that is meant"
        )
    return missing


def _record(connection: psycopg.Connection, batch: Batch, cursor: str | None) -> None:
    """Batch record, watermark, drift and key changes."""
    counts, manifest = batch.counts, batch.landed.manifest
    connection.execute(
        "insert into ops.batch (batch_id, run_id, src_inst_code, entity, product, mode, ref_period, window_from, window_to, "
        "landing_uri, payload_digest, rows_received, rows_stored, rows_unchanged, rows_superseded, rows_tombstoned, as_of) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            batch.batch_id, batch.run_id, batch.inst_code, batch.contract.entity, manifest["product"], batch.mode,
            manifest["ref_period"], manifest["window_from"], manifest["window_to"], batch.landed.uri, manifest["payload_digest"],
            counts.received, counts.stored, counts.unchanged, counts.superseded, counts.tombstoned, batch.as_of,
        ],
    )  # fmt: skip
    if cursor is not None:
        set_watermark(connection, batch.inst_code, batch.contract.entity, cursor, batch.as_of, batch.batch_id)
    record_drift(connection, batch.run_id, batch.inst_code, batch.contract.entity, manifest["drift"])
    if manifest["rows"].get(KEY_CHANGES):
        _record_key_changes(connection, batch)


def set_watermark(
    connection: psycopg.Connection,
    inst_code: str,
    entity: str,
    cursor: str,
    as_of: Any,
    batch_id: str | None = None,
) -> None:
    """Move the cursor of an entity; without `batch_id` (an empty window) the last batch stays noted."""
    connection.execute(
        "insert into ops.watermark values (%s, %s, %s, coalesce(%s, ''), %s) on conflict (src_inst_code, entity) do update set "
        "cursor_value = excluded.cursor_value, batch_id = coalesce(%s, ops.watermark.batch_id), as_of = excluded.as_of",
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
            "insert into ops.schema_drift values (%s, %s, %s, %s, %s, %s) on conflict (run_id, src_inst_code, entity, field) "
            "do update set kind = excluded.kind, rows = ops.schema_drift.rows + excluded.rows",
            [(run_id, inst_code, entity, name, kind, rows) for name, (kind, rows) in drift.items()],
        )


def _record_key_changes(connection: psycopg.Connection, batch: Batch) -> None:
    with batch.landed.open() as file:
        frame = pl.read_parquet(
            file,
            columns=["_feed", batch.mapping.record_id, batch.mapping.version_column, "old_key", "new_key"],
        )
    changes = frame.filter(pl.col("_feed") == KEY_CHANGES).select(
        batch.mapping.record_id, "old_key", "new_key", pl.col(batch.mapping.version_column).cast(pl.Int64)
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.key_change values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
            [(batch.batch_id, batch.inst_code, batch.contract.entity, *row) for row in changes.iter_rows()],
        )


def _is_loaded(connection: psycopg.Connection, batch_id: str) -> bool:
    return (
        connection.execute("select 1 from ops.batch where batch_id = %s", [batch_id]).fetchone() is not None
    )


def live_count(connection: psycopg.Connection, inst_code: str, entity: str) -> int:
    """Records of an institution whose newest version is not a deletion."""
    query = sql.SQL(
        "select count(*) filter (where not is_deleted) from (select distinct on (src_record_id) is_deleted from raw.{} "
        "where src_inst_code = %s order by src_record_id, source_version desc, raw_id desc) newest"
    ).format(sql.Identifier(entity))
    return connection.execute(query, [inst_code]).fetchone()[0]
