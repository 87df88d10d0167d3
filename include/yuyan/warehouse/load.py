"""Load a landed batch into raw: map, compare with what is held, COPY what is new — all in one transaction.

Rows, tombstones, batch record, watermark, drift and key changes commit together or not at all. A batch loads once: a second
time it is recognised by its id. A record's newest version is the one with the greatest (source_version, raw_id).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import polars as pl
import psycopg
import pyarrow.parquet as pq
from psycopg import sql

from yuyan.ahead import ahead
from yuyan.collect.landing import Landed
from yuyan.collect.source import KEY_CHANGES
from yuyan.contracts import Contract
from yuyan.institutions import EntityMap
from yuyan.warehouse import lines, versions
from yuyan.warehouse import mapping as mapped

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


@dataclass(frozen=True)
class Batch:
    """A landed batch on its way into raw. `correction`: an earlier batch, mapped anew under an id of its own."""

    landed: Landed
    contract: Contract
    mapping: EntityMap
    run_id: str
    as_of: date
    correction: str | None

    @property
    def batch_id(self) -> str:
        return self.correction or self.landed.batch_id

    @property
    def mode(self) -> str:
        return "incremental" if self.correction else self.landed.manifest["mode"]

    @property
    def is_complete(self) -> bool:
        """Whether the window lists everything (of a period), so that what it does not have is gone."""
        return self.mode != "incremental"

    @property
    def ends_listing(self) -> bool:
        return self.is_complete and self.landed.manifest["is_last"]

    @property
    def delivery(self) -> int | None:
        return self.landed.manifest["version"]

    @property
    def names(self) -> list[str]:
        return [f.name for f in self.contract.columns]

    @property
    def who(self) -> str:
        return f"{self.mapping.inst_code} {self.contract.entity} 批次 {self.batch_id}"


class Loader:
    """Loads the batches of one window, in order.

    Of a complete listing it remembers from batch to batch what has been listed and what raw holds: only with the last one is
    it known which records are missing.
    """

    def __init__(
        self, connection: psycopg.Connection, contract: Contract, mapping: EntityMap, run_id: str, as_of: date
    ) -> None:
        """`connection` is in autocommit mode."""
        self._connection, self._contract, self._mapping = connection, contract, mapping
        self._run_id, self._as_of = run_id, as_of
        self._listed: list[pl.DataFrame] = []
        self._held: pl.DataFrame | None = None

    def load(self, landed: Landed, cursor: str | None = None, correction: str | None = None) -> Loaded:
        """Load a landed batch and move the watermark to `cursor` (None: leave it).

        `correction` is the id under which an earlier batch is mapped anew: it neither removes nor brings back a record.
        Raises LoadError.
        """
        batch = Batch(landed, self._contract, self._mapping, self._run_id, self._as_of, correction)
        with self._connection.transaction():
            key = f"{self._mapping.inst_code}/{self._contract.entity}"
            self._connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
            query = "select 1 from ops.batch where batch_id = %s"
            again = self._connection.execute(query, [batch.batch_id]).fetchone() is not None
            with landed.open() as file:
                parquet = pq.ParquetFile(file)
                rows = _index(parquet, batch)
                self._listed += [rows] if batch.is_complete else []
                if again:
                    return Loaded(batch.batch_id, again=True)
                counts = self._append(parquet, batch, rows)
            _record(self._connection, batch, counts, cursor)
        return counts

    def _append(self, parquet: pq.ParquetFile, batch: Batch, rows: pl.DataFrame) -> Loaded:
        """COPY new versions and tombstones into raw."""
        held = self._known(batch, rows)
        missing = _missing(batch, pl.concat(self._listed), held) if batch.ends_listing else held.clear()
        counts = Loaded(batch.batch_id, received=rows.height, tombstoned=missing.height)
        target = sql.SQL("copy {}.{} ({}) from stdin").format(
            sql.Identifier("raw"),
            sql.Identifier(batch.contract.entity),
            sql.SQL(", ").join(map(sql.Identifier, [*_META, *batch.names])),
        )
        stored: list[pl.DataFrame] = []
        same = held.join(rows, on="id", how="semi")
        with self._connection.cursor() as cursor, cursor.copy(target) as copy:
            for text in ahead(_lines(parquet, batch, versions.winners(rows), same, missing, counts, stored)):
                copy.write(lines.buffer(text))
        if batch.is_complete and not batch.ends_listing:
            self._held = versions.after(held, stored, batch.landed.manifest["ref_period"])
        return counts

    def _known(self, batch: Batch, rows: pl.DataFrame) -> pl.DataFrame:
        """What raw holds: of the batch's records, or of all of them when the listing is complete."""
        if self._held is not None:
            return self._held
        inst_code, entity = self._mapping.inst_code, self._contract.entity
        return versions.held(self._connection, inst_code, entity, rows, everything=batch.is_complete)


def load(
    connection: psycopg.Connection,
    landed: Landed,
    contract: Contract,
    mapping: EntityMap,
    run_id: str,
    as_of: date,
    cursor: str | None = None,
    correction: str | None = None,
) -> Loaded:
    """Load a window that is one batch, or a correction; see Loader."""
    return Loader(connection, contract, mapping, run_id, as_of).load(landed, cursor, correction)


def _index(parquet: pq.ParquetFile, batch: Batch) -> pl.DataFrame:
    try:
        return versions.index(parquet, batch.mapping, batch.delivery)
    except versions.NamelessRows as error:
        count, first = error.args
        raise LoadError(
            f"{batch.who}：{count} 行没有记录编号（首行为第 {first} 行），整批未装载，"
            f"请报送单位补齐 {batch.mapping.record_id}。/ "
            f"{count} rows without a record id (the first is row {first}); not loaded, ask the institution to supply it"
        ) from None


def _lines(
    parquet: pq.ParquetFile,
    batch: Batch,
    winners: pl.Series | None,
    held: pl.DataFrame,
    missing: pl.DataFrame,
    counts: Loaded,
    stored: list[pl.DataFrame],
) -> Iterator[pl.Series]:
    """COPY lines of the rows to store, a row group at a time, then of the tombstones.

    Counts what becomes of each row, and adds id, version, digest and mark of the stored ones to `stored`.
    """
    start = 0
    for group in range(parquet.num_row_groups):
        chunk = pl.from_arrow(parquet.read_row_group(group))
        chunk = chunk.with_columns(row_no=pl.int_range(pl.len()) + start + 1)
        wins = pl.lit(True) if winners is None else (pl.col("row_no") - 1).is_in(winners.implode())
        start += chunk.height
        rows = _mapped(chunk.with_columns(wins=wins).filter(pl.col("_feed") != KEY_CHANGES), batch)
        newest = rows.filter("wins")
        counts.superseded += rows.height - newest.height
        new, unchanged, superseded = versions.keep(
            _digested(newest, batch), held, batch.correction is not None
        )
        counts.stored += new.height
        counts.unchanged += unchanged
        counts.superseded += superseded
        stored.append(new.select("id", "version", "hash", "is_deleted"))
        if new.height:
            yield _line(new, batch)
    if missing.height:
        yield _line(_digested(_tombstones(missing, batch), batch), batch)


def _mapped(chunk: pl.DataFrame, batch: Batch) -> pl.DataFrame:
    """Rows in the contract's columns, with id, version, record key and deletion mark (t, f).

    A batch that landed before a field was agreed on has no column for it: NULL.
    """
    mapping = batch.mapping
    lacking = mapped.sources(batch.contract, mapping) - set(chunk.columns)
    return (
        chunk.with_columns(pl.lit(None, pl.String).alias(name) for name in lacking)
        .select(
            "row_no",
            "wins",
            pl.col(mapping.record_id).alias("id"),
            versions.version(mapping, batch.delivery),
            pl.when(versions.gone(mapping)).then(pl.lit("t")).otherwise(pl.lit("f")).alias("is_deleted"),
            *mapped.columns(batch.contract, mapping),
        )
        .with_columns(record_key=mapped.record_key(batch.contract))
    )


def _tombstones(missing: pl.DataFrame, batch: Batch) -> pl.DataFrame:
    """Rows that end records which a complete listing no longer has.

    Each takes the version it ends, so that the record comes back whenever the source lists it again, at whatever version.
    """
    nothing = pl.lit(None, pl.String)
    return missing.select(
        "id",
        pl.col("held_version").alias("version"),
        nothing.alias("record_key"),
        pl.lit(0).alias("row_no"),
        pl.lit("t").alias("is_deleted"),
        *(nothing.alias(name) for name in batch.names),
    )


def _digested(rows: pl.DataFrame, batch: Batch) -> pl.DataFrame:
    """The business columns as one COPY text, and its digest."""
    text = lines.copy_text(rows.select("is_deleted", *batch.names))
    names = ("id", "version", "record_key", "row_no", "is_deleted")
    return rows.select(*names, hash=lines.digests(text), text=text)


def _line(rows: pl.DataFrame, batch: Batch) -> pl.Series:
    """Whole COPY lines in the order of _META and the contract; `text` holds the deletion mark and the business columns."""
    keys = lines.copy_text(rows.select("id", "record_key"))
    head = pl.concat_str(
        pl.lit(batch.mapping.inst_code),
        pl.lit(keys),
        "version",
        pl.lit(r"\\x") + pl.col("hash"),
        pl.lit(batch.batch_id),
        "row_no",
        pl.lit(str(batch.as_of)),
        separator="\t",
    )
    return rows.select(pl.concat_str(head, pl.lit("\t"), "text", pl.lit("\n"))).to_series()


def _missing(batch: Batch, rows: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """Records to end. Raises LoadError rather than empty an entity: a zero is a finding, and the last good data stay."""
    period = batch.landed.manifest["ref_period"] if batch.mode == "replace" else None
    missing = versions.missing(rows, held, period)
    living = held.filter(~pl.col("held_gone")).height
    if missing.height and missing.height == living and rows["gone"].all():
        raise LoadError(
            f"{batch.who}：来源为空，但仓库中有 {living} 条有效记录；为防误删未装载，"
            "上一次的数据保持不变。请报送单位确认是否真的清空。/ "
            f"the source is empty but {living} records are held; not loaded, ask the institution whether that is meant"
        )
    return missing


def _record(connection: psycopg.Connection, batch: Batch, counts: Loaded, cursor: str | None) -> None:
    """Batch record, watermark, drift and key changes."""
    manifest, inst_code, entity = batch.landed.manifest, batch.mapping.inst_code, batch.contract.entity
    connection.execute(
        "insert into ops.batch (batch_id, run_id, src_inst_code, entity, product, mode, ref_period, window_from, "
        "window_to, landing_uri, payload_digest, rows_received, rows_stored, rows_unchanged, rows_superseded, "
        "rows_tombstoned, as_of, mapping_version) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            *(batch.batch_id, batch.run_id, inst_code, entity, manifest["product"], batch.mode),
            *(manifest["ref_period"], manifest["window_from"], manifest["window_to"]),
            *(batch.landed.uri, manifest["payload_digest"]),
            *(counts.received, counts.stored, counts.unchanged, counts.superseded, counts.tombstoned),
            batch.as_of,
            mapped.version(batch.mapping),
        ],
    )
    if batch.correction:
        return
    if cursor is not None:
        set_watermark(connection, inst_code, entity, cursor, batch.as_of, batch.batch_id)
    record_drift(connection, batch.run_id, inst_code, entity, manifest["drift"])
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
            [(run_id, inst_code, entity, name, kind, rows) for name, (kind, rows) in drift.items()],
        )


def _record_key_changes(connection: psycopg.Connection, batch: Batch) -> None:
    mapping = batch.mapping
    with batch.landed.open() as file:
        columns = ["_feed", mapping.record_id, mapping.version_column, "old_key", "new_key"]
        frame = pl.read_parquet(file, columns=columns)
    changes = frame.filter(pl.col("_feed") == KEY_CHANGES).select(
        mapping.record_id, "old_key", "new_key", versions.version(mapping, batch.delivery)
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.key_change values (%s, %s, %s, %s, %s, %s, %s) on conflict do nothing",
            [(batch.batch_id, mapping.inst_code, batch.contract.entity, *row) for row in changes.iter_rows()],
        )
