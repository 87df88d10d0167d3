"""Load landed batches into raw: map, compare with what is held, COPY what is new.

Rows, tombstones, batch record, watermark, drift and key changes of a batch commit together or not at all. A batch loads
once: a second time it is recognised by its id. A record's newest version has the greatest (source_version, raw_id).
"""

from dataclasses import dataclass, field
from datetime import date

import polars as pl
import psycopg
from psycopg import sql

from yuyan.collect import mapping as mapped
from yuyan.collect.landing import Landed
from yuyan.collect.source import DELETES, KEY_CHANGES
from yuyan.domain import keys
from yuyan.domain.contracts import Contract
from yuyan.domain.institutions import EntityMap
from yuyan.load import lines, versions

_META = (
    "src_inst_code",
    "src_record_id",
    "record_key",
    "source_version",
    "stated_version",
    "row_hash",
    "batch_id",
    "row_no",
    "as_of",
    "is_deleted",
)
_SEEN = ("id", "version", "row_no", "gone", "hash")
_SEND = 1 << 20
"""Bytes given to the connection at once."""


class LoadError(RuntimeError):
    """A batch that must not be loaded; the last good data stay. The message says what to do."""


@dataclass(frozen=True)
class Effect:
    """What a batch does to records: ids of live ones that it ends and of those that it makes live, id and hash of those that
    it changes.
    """

    ended: pl.Series
    appeared: pl.Series
    changed: pl.DataFrame

    @property
    def is_any(self) -> bool:
        """Whether it does anything at all."""
        return bool(self.ended.len() or self.appeared.len() or self.changed.height)


NO_EFFECT = Effect(*(pl.Series("id", dtype=pl.String) for _ in range(2)), pl.DataFrame(schema=["id", "hash"]))


@dataclass
class Loaded:
    """What became of a batch: `received = stored + unchanged + superseded`; `tombstoned` is the loader's own addition.

    Superseded are rows `older` than what is held and rows `repeated` within the window.
    """

    batch_id: str
    received: int = 0
    stored: int = 0
    unchanged: int = 0
    older: int = 0
    repeated: int = 0
    tombstoned: int = 0
    again: bool = False
    """The batch had been loaded before; nothing was done."""
    effect: Effect = field(default=NO_EFFECT, repr=False)

    @property
    def superseded(self) -> int:
        return self.older + self.repeated


@dataclass(frozen=True)
class Batch:
    """A landed batch, mapped. `rows`: id, version, record_key, row_no, gone, hash and text, the business columns for COPY.

    `correction` is the id under which an earlier batch is mapped anew: it neither removes nor brings back a record.
    `unreadable`: column of the version or the deletion mark -> numbers of the rows where it cannot be read. `ahead`: numbers
    of rows stamped later than the day of the collection, which count as changed on it. `normalised`: column -> rows whose
    text normalising changed.
    """

    landed: Landed
    contract: Contract
    mapping: EntityMap
    rows: pl.DataFrame
    correction: str | None = None
    unreadable: dict[str | None, tuple[int, ...]] = field(default_factory=dict)
    ahead: tuple[int, ...] = ()
    normalised: dict[str, int] = field(default_factory=dict)

    @property
    def batch_id(self) -> str:
        return self.correction or self.landed.batch_id

    @property
    def mode(self) -> str:
        return "incremental" if self.correction else self.landed.manifest["mode"]

    @property
    def is_listing(self) -> bool:
        """Whether it is part of a complete listing (of a period), in which what is absent is gone."""
        return self.mode != "incremental"

    @property
    def is_present_state(self) -> bool:
        """Whether it lists what the source has now, so that no version in it is out of date."""
        return self.landed.manifest["mode"] == "full"

    @property
    def ends_window(self) -> bool:
        return self.landed.manifest["is_last"]

    @property
    def period(self) -> str | None:
        """The period that the listing replaces; None if it lists everything."""
        return self.landed.manifest["ref_period"] if self.mode == "replace" else None

    @property
    def who(self) -> str:
        return f"{self.mapping.inst_code} {self.contract.entity} 批次 {self.batch_id}"


def prepare(landed: Landed, contract: Contract, mapping: EntityMap, correction: str | None = None) -> Batch:
    """Read and map a landed batch and compute its digests: all that needs no database."""
    with landed.open() as file:
        frame = pl.read_parquet(file).with_row_index("row_no", offset=1)
    # A batch that landed before a field was agreed on has no column for it.
    lacking = mapped.sources(contract, mapping) - set(frame.columns)
    frame = frame.filter(pl.col("_feed") != KEY_CHANGES).with_columns(
        pl.lit(None, pl.String).alias(n) for n in lacking
    )
    stated = frame.select(
        "row_no",
        is_marked=mapped.is_deleted(mapping).is_not_null(),
        version=mapped.source_version(mapping, landed.manifest["version"]),
        is_said=mapped.says_version(mapping),
    )
    latest, instead = mapped.version_bounds(mapping, date.fromisoformat(landed.manifest["as_of"]))
    ahead = pl.lit(False) if latest is None else pl.col("version") > latest
    rows = frame.select(
        mapped.record_id(mapping).alias("id"),
        stated.select(pl.when(ahead).then(instead).otherwise("version")).to_series().alias("version"),
        pl.col("row_no").cast(pl.Int64),
        (mapped.is_deleted(mapping).fill_null(False) | (pl.col("_feed") == DELETES)).alias("gone"),
        *mapped.columns(contract, mapping),
    ).with_columns(record_key=mapped.record_key(contract))
    rows = rows.with_columns(mapped.bounded(rows["id"]))
    return Batch(
        landed,
        contract,
        mapping,
        _digested(rows, contract),
        correction,
        {
            mapping.version_column: tuple(
                stated.filter(pl.col("is_said") & pl.col("version").is_null())["row_no"]
            ),
            mapping.deleted: tuple(stated.filter(~pl.col("is_marked"))["row_no"]),
        },
        tuple(stated.filter(ahead)["row_no"]),
        mapped.normalised(frame, contract, mapping),
    )


class Loader:
    """Loads the batches of one window, in order.

    Of a complete listing it remembers from batch to batch what has been listed and what raw holds: only with the last one is
    it known which records are missing.
    """

    def __init__(self, connection: psycopg.Connection, run_id: str, as_of: date) -> None:
        """`connection` is in autocommit mode."""
        self._connection, self._run_id, self._as_of = connection, run_id, as_of
        self._seen: list[pl.DataFrame] = []
        self._held: pl.DataFrame | None = None

    def load(self, batch: Batch, cursor: str | None = None) -> Loaded:
        """Load a batch; the last one of its window moves the watermark to `cursor` (None: leave it). Raises LoadError."""
        _refuse_nameless(batch)
        _refuse_unordered(batch)
        before = pl.concat(self._seen) if self._seen else None
        so_far = sum(frame.height for frame in self._seen)
        self._seen.append(batch.rows.select(_SEEN).with_columns(pl.col("row_no") + so_far))
        _refuse_colliding(batch, pl.concat(self._seen))
        with self._connection.transaction():
            key = f"{batch.mapping.inst_code}/{batch.contract.entity}"
            self._connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
            query = "select 1 from ops.batch where batch_id = %s"
            if self._connection.execute(query, [batch.batch_id]).fetchone():
                return Loaded(batch.batch_id, again=True)
            counts = self._append(batch, before)
            _record(self._connection, batch, counts, self._run_id, self._as_of, cursor)
        return counts

    def _append(self, batch: Batch, before: pl.DataFrame | None) -> Loaded:
        """COPY new versions, and tombstones once the listing is complete. `before`: rows of the window's earlier batches."""
        held, counts = self._newest_held(batch), Loaded(batch.batch_id, received=batch.rows.height)
        newest = versions.newest(batch.rows)
        if (
            before is not None and batch.is_present_state
        ):  # in it the newer of two rows is not always the later
            newest = versions.newer_than(newest, before)
        counts.repeated = batch.rows.height - newest.height
        later = None
        if batch.correction:
            where = self._connection, batch.mapping.inst_code, batch.contract.entity
            later = versions.landed_after(*where, batch.landed.uri)
        new, counts.unchanged = versions.keep(newest, held, batch.is_present_state, later)
        was_live, gone = pl.col("was_live"), pl.col("gone")
        ended = new.filter(was_live & gone)["id"]
        appeared = new.filter(~was_live & ~gone)["id"]
        changed = new.filter(was_live & ~gone & ~pl.col("is_same")).select("id", "hash")
        new = new.drop("was_live", "is_same")
        counts.stored = new.height
        counts.older = counts.received - counts.stored - counts.unchanged - counts.repeated
        parts = [new]
        if batch.is_listing and batch.ends_window:
            missing = self._missing(batch, held)
            counts.tombstoned = missing.height
            ended = ended.extend(missing["id"])
            parts.append(_tombstones(missing, batch.contract).select(new.columns))
        elif batch.is_listing:
            self._held = versions.after(held, new, batch.landed.manifest["ref_period"])
        counts.effect = Effect(ended, appeared, changed)
        self._copy(pl.concat(parts), batch)
        return counts

    def _newest_held(self, batch: Batch) -> pl.DataFrame:
        if self._held is not None:
            return self._held
        ids = None if batch.is_listing else batch.rows["id"]
        return versions.held(self._connection, batch.mapping.inst_code, batch.contract.entity, ids)

    def _missing(self, batch: Batch, held: pl.DataFrame) -> pl.DataFrame:
        """Live records of the listing's period that it does not have."""
        return versions.missing(pl.concat(self._seen), held, batch.period)

    def _copy(self, rows: pl.DataFrame, batch: Batch) -> None:
        names = [*_META, *(f.name for f in batch.contract.columns)]
        target = sql.SQL("copy {}.{} ({}) from stdin").format(
            sql.Identifier("raw"),
            sql.Identifier(batch.contract.entity),
            sql.SQL(", ").join(map(sql.Identifier, names)),
        )
        keys = lines.copy_text(rows.select("id", "record_key"))
        stated = pl.when(pl.col("version") != pl.col("order")).then(pl.col("version").cast(pl.String))
        meta = pl.concat_str(
            pl.lit(batch.mapping.inst_code),
            pl.lit(keys),
            "order",
            stated.fill_null(lines.NULL),
            pl.lit(r"\\x") + pl.col("hash"),
            pl.lit(batch.batch_id),
            "row_no",
            pl.lit(str(self._as_of)),
            separator="\t",
        )
        text = lines.buffer(rows.select(pl.concat_str(meta, pl.lit("\t"), "text", pl.lit("\n"))).to_series())
        with self._connection.cursor() as cursor, cursor.copy(target) as copy:
            for start in range(0, len(text), _SEND):
                copy.write(text[start : start + _SEND])


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
    """Load one batch that stands for itself: a whole window, or a correction (its id). See Loader."""
    return Loader(connection, run_id, as_of).load(prepare(landed, contract, mapping, correction), cursor)


def _digested(rows: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Deletion mark and business columns as one COPY text, and its digest."""
    mark = pl.when("gone").then(pl.lit("t")).otherwise(pl.lit("f")).alias("mark")
    text = lines.copy_text(rows.select(mark, *(f.name for f in contract.columns)))
    known = [n for n in ("id", "version", "order", "record_key", "row_no", "gone") if n in rows.columns]
    return rows.select(known).with_columns(hash=lines.digests(text), text=text)


def _tombstones(missing: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Rows that end records which a complete listing no longer has.

    Each takes the version it ends, so that the record comes back whenever the source lists it again, at whatever version.
    """
    nothing = pl.lit(None, pl.String)
    rows = missing.select(
        "id",
        pl.col("held_version").alias("version"),
        pl.col("held_order").alias("order"),
        nothing.alias("record_key"),
        pl.lit(0, pl.Int64).alias("row_no"),
        pl.lit(True).alias("gone"),
        *(nothing.alias(f.name) for f in contract.columns),
    )
    return _digested(rows, contract)


def _refuse_nameless(batch: Batch) -> None:
    nameless = batch.rows.filter(pl.col("id").is_null() | (pl.col("id") == ""))["row_no"]
    if nameless.len():
        chinese, english = ("整个文件", "the file") if batch.mode == "replace" else ("整批", "the batch")
        raise LoadError(
            f"{batch.who}：{nameless.len()} 行没有记录编号（首行为第 {nameless[0]} 行），{chinese}未装载，"
            f"请报送单位补齐 {batch.mapping.record_id}。/ {nameless.len()} rows without a record id "
            f"(the first is row {nameless[0]}); {english} is not loaded, ask the institution to supply it"
        )


def _refuse_unordered(batch: Batch) -> None:
    for column, rows in batch.unreadable.items():
        if rows:
            raise LoadError(
                f"{batch.who}：{len(rows)} 行的 {column} 写法无法识别（首行为第 {rows[0]} 行），"
                f"整批未装载，请平台按约定的写法提供 {column}。/ {len(rows)} rows whose {column} cannot be read (the "
                f"first is row {rows[0]}); the batch is not loaded, ask the platform to write it as agreed"
            )


def _refuse_colliding(batch: Batch, seen: pl.DataFrame) -> None:
    """Two rows under one record id that say different things at one version: ids that a spreadsheet or a join made alike."""
    found = versions.colliding(seen)
    if found.is_empty():
        return
    chinese, english = ("整个文件", "the file") if batch.mode == "replace" else ("整批", "the batch")
    first = found.filter(pl.col("id") == found["id"][0])["row_no"].to_list()
    rows = "、".join(map(str, first[:5]))
    raise LoadError(
        f"{batch.who}：{found.height} 行的记录编号与别的行相同而内容不同（例如第 {rows} 行），{chinese}未装载。"
        f"编号可能被电子表格改写（科学计数法、末位变为 0）或被视图重复，请报送单位以文本格式提供 {batch.mapping.record_id}，"
        f"每条记录一个编号。/ {found.height} rows share a record id with another row that says something else (rows "
        f"{', '.join(map(str, first[:5]))} for example); {english} is not loaded; a spreadsheet or a join may have made "
        "the ids alike: ask the institution for one id per record, as text"
    )


def _record(
    connection: psycopg.Connection, batch: Batch, counts: Loaded, run_id: str, as_of: date, cursor: str | None
) -> None:
    """Batch record, watermark, drift and key changes."""
    manifest, inst_code, entity = batch.landed.manifest, batch.mapping.inst_code, batch.contract.entity
    connection.execute(
        "insert into ops.batch (batch_id, run_id, src_inst_code, entity, product, mode, ref_period, window_from, "
        "window_to, landing_uri, payload_digest, rows_received, rows_stored, rows_unchanged, rows_superseded, "
        "rows_repeated, rows_tombstoned, as_of, mapping_version) "
        "values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            *(batch.batch_id, run_id, inst_code, entity, manifest["product"], batch.mode),
            *(manifest["ref_period"], manifest["window_from"], manifest["window_to"]),
            *(batch.landed.uri, manifest["payload_digest"]),
            *(counts.received, counts.stored, counts.unchanged, counts.superseded),
            *(counts.repeated, counts.tombstoned),
            as_of,
            mapped.version(batch.mapping),
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
        columns = ["_feed", mapping.record_id, mapping.version_column, "old_key", "new_key"]
        frame = pl.read_parquet(file, columns=columns)
    changes = frame.filter(pl.col("_feed") == KEY_CHANGES).select(
        mapped.record_id(mapping), "old_key", "new_key", mapped.source_version(mapping, None)
    )
    changes = changes.with_columns(mapped.bounded(changes[mapping.record_id]))
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.key_change select n.* from (values (%s, %s, %s, %s, %s, %s, %s::bigint)) "
            "n (batch_id, src_inst_code, entity, src_record_id, old_key, new_key, source_version) where not exists "
            "(select from ops.key_change k where (k.src_inst_code, k.entity, k.src_record_id, k.source_version) "
            "= (n.src_inst_code, n.entity, n.src_record_id, n.source_version)) on conflict do nothing",
            [(batch.batch_id, mapping.inst_code, batch.contract.entity, *row) for row in changes.iter_rows()],
        )
