"""Landed batches, mapped to the contract's names and ready to load: all that needs no database."""

from dataclasses import dataclass, field
from datetime import date

import polars as pl

from yuyan.collect import mapping as mapped
from yuyan.collect import text
from yuyan.collect.file_faults import WHOLE_BATCH, WHOLE_FILE, said
from yuyan.collect.landing import Landed
from yuyan.collect.source import DELETES, KEY_CHANGES
from yuyan.domain.contracts import Contract
from yuyan.domain.entity_map import EntityMap
from yuyan.load import lines, versions

SEEN_COLUMNS = ("id", "version", "row_no", "gone", "hash")
"""What is remembered of the rows of a window's earlier batches."""


class LoadError(RuntimeError):
    """A batch that must not be loaded; the last good data stay. The message says what to do."""


@dataclass(frozen=True)
class Batch:
    """A landed batch, mapped. `rows`: id, version, record_key, row_no, gone, hash and text, the business columns for COPY.

    `correction` is the id under which an earlier batch is mapped anew: it neither removes nor brings back a record.
    `repeat` is the id under which one comes that was loaded before and has been overtaken since: its rows hold again.
    `unreadable`: column of the version or the deletion mark -> numbers of the rows where it cannot be read.
    `future_rows`: numbers of rows stamped later than the day of the collection, which count as changed on it.
    `normalised`: column -> rows whose text normalising changed.
    """

    landed: Landed
    contract: Contract
    mapping: EntityMap
    rows: pl.DataFrame
    correction: str | None = None
    repeat: str | None = None
    unreadable: dict[str | None, tuple[int, ...]] = field(default_factory=dict)
    future_rows: tuple[int, ...] = ()
    normalised: dict[str, int] = field(default_factory=dict)

    @property
    def batch_id(self) -> str:
        return self.correction or self.repeat or self.landed.batch_id

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
    if (frame["_feed"] == KEY_CHANGES).any():
        frame = frame.filter(pl.col("_feed") != KEY_CHANGES)
    if lacking:
        frame = frame.with_columns(pl.lit(None, pl.String).alias(n) for n in lacking)
    plain = text.plain(frame)
    latest, instead = mapped.version_bounds(mapping, date.fromisoformat(landed.manifest["as_of"]))
    in_future = pl.lit(False) if latest is None else pl.col("_stated") > latest
    rows = frame.select(
        mapped.record_id(mapping, plain).alias("id"),
        pl.col("row_no").cast(pl.Int64),
        (pl.col("_feed") == DELETES).alias("_deletes"),
        *mapped.columns(contract, mapping, plain),
        _mark=mapped.is_deleted(mapping),
        _stated=mapped.source_version(mapping, landed.manifest["version"]),
        _is_said=mapped.says_version(mapping),
    ).with_columns(
        version=pl.when(in_future).then(instead).otherwise("_stated"),
        gone=pl.col("_mark").fill_null(False) | pl.col("_deletes"),
        record_key=mapped.record_key(contract),
    )
    ids = rows["id"]
    if (bounded := mapped.bounded(ids)) is not ids:
        rows = rows.with_columns(bounded)
    return Batch(
        landed,
        contract,
        mapping,
        digested(rows, contract),
        correction,
        None,
        {
            mapping.version_column: _where(rows, "_stated", pl.col("_is_said") & pl.col("_stated").is_null()),
            mapping.deleted: _where(rows, "_mark", pl.col("_mark").is_null()),
        },
        () if latest is None else tuple(rows.filter(in_future)["row_no"]),
        mapped.normalised(frame, contract, mapping, plain),
    )


def _where(rows: pl.DataFrame, column: str, is_so: pl.Expr) -> tuple[int, ...]:
    """Numbers of the rows where something is so of a column that is NULL there."""
    return tuple(rows.filter(is_so)["row_no"]) if rows[column].has_nulls() else ()


def check(batch: Batch, seen: pl.DataFrame) -> None:
    """Raise LoadError if the batch must not be loaded. `seen`: SEEN_COLUMNS of its rows and of those of
    the same records before it in its window."""
    _refuse_nameless(batch)
    _refuse_unordered(batch)
    _refuse_colliding(batch, seen)


def digested(rows: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Deletion mark and business columns as one COPY text, and its digest."""
    mark = pl.when("gone").then(pl.lit("t")).otherwise(pl.lit("f")).alias("mark")
    line = lines.copy_text(rows.select(mark, *(f.name for f in contract.columns)))
    known = [n for n in ("id", "version", "order", "record_key", "row_no", "gone") if n in rows.columns]
    return rows[known].hstack([lines.digests(line).alias("hash"), line.alias("text")])


def _refuse_nameless(batch: Batch) -> None:
    if batch.rows["id"].has_nulls() or (batch.rows["id"] == "").any():
        nameless = batch.rows.filter(pl.col("id").is_null() | (pl.col("id") == ""))["row_no"]
        ids = "、".join(batch.mapping.record_id)
        chinese, english = said("nameless", rows=nameless.len(), row=nameless[0], column=ids, **_what(batch))
        raise LoadError(f"{batch.who}：{chinese}。/ {english}")


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
    rows = [str(n) for n in found.filter(pl.col("id") == found["id"][0])["row_no"].to_list()[:5]]
    chinese, english = said(
        "colliding",
        rows=found.height,
        chinese="、".join(rows),
        english=", ".join(rows),
        column="、".join(batch.mapping.record_id),
        **_what(batch),
    )
    raise LoadError(f"{batch.who}：{chinese}。/ {english}")


def _what(batch: Batch) -> dict[str, str]:
    """What is not loaded."""
    return WHOLE_FILE if batch.mode == "replace" else WHOLE_BATCH
