"""Load landed batches into raw: compare with the current versions, COPY what is new.

Rows, tombstones, batch record, watermark, drift and key changes of a batch commit together or not at all. A batch loads
once: a second time it is recognised by its id, unless something else was loaded in between, which it takes back. A record's
newest version has the greatest (source_version, raw_id).
"""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import date, datetime

import polars as pl
import psycopg
from psycopg import sql

from yuyan.collect.landing import Landed
from yuyan.domain.contracts import Contract
from yuyan.domain.entity_map import EntityMap
from yuyan.load import lines, ops, versions
from yuyan.load.batch import SEEN_COLUMNS, Batch, check, digested, prepare

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
_SEND = 1 << 20
"""Bytes given to the connection at once."""


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

    Superseded are rows `older` than what is current and rows `repeated` within the window.
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


class Loader:
    """Loads the batches of one window, in order.

    Of a complete listing it remembers from batch to batch what has been listed: only with the last one is it known which
    records are missing.
    """

    def __init__(
        self,
        connection: psycopg.Connection,
        run_id: str,
        as_of: date,
        held: versions.Held | None = None,
    ) -> None:
        """`connection` is in autocommit mode; `held` is remembered from window to window of one entity."""
        self._connection, self._run_id, self._as_of = connection, run_id, as_of
        self._seen: list[pl.DataFrame] = []
        self._held = held or versions.Held()

    def load(self, batch: Batch, cursor: str | None = None) -> Loaded:
        """Load a batch; the last one of its window moves the watermark to `cursor` (None: leave it). Raises LoadError."""
        so_far = sum(frame.height for frame in self._seen)
        own = batch.rows[list(SEEN_COLUMNS)]
        if so_far:
            own = own.with_columns(pl.col("row_no") + so_far)
        before = own.clear()
        if self._seen:
            before = pl.concat(self._seen).join(own, on="id", how="semi")
        self._seen.append(own)
        check(batch, pl.concat([before, own]))
        with self._connection.transaction():
            key = f"{batch.mapping.inst_code}/{batch.contract.entity}"
            self._connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
            if self._is_loaded(batch.batch_id):
                again = replace(batch, repeat=f"{batch.batch_id}-{_digest(self._run_id)}")
                if not self._is_overtaken(batch) or self._is_loaded(again.batch_id):
                    return Loaded(batch.batch_id, again=True)
                batch = again
            counts = self._append(batch, before)
            ops.record_batch(self._connection, batch, counts, self._run_id, self._as_of, cursor)
            if self._held.current is not None:
                self._held.loaded = self._loaded(batch)
        return counts

    def _is_loaded(self, batch_id: str) -> bool:
        query = "select exists (select from ops.batch where batch_id = %s)"
        return self._connection.execute(query, [batch_id]).fetchone()[0]

    def _is_overtaken(self, batch: Batch) -> bool:
        """Has another run loaded something of the entity since this was loaded, so that the source has taken that back?

        A window that does not move (its source gives edits no later time) has the same id whenever it has the same rows.
        """
        if batch.correction or batch.is_listing:
            return False
        query = (
            "with of_content as (select run_id, loaded_at from ops.batch where landing_uri = %(uri)s and src_inst_code = "
            "%(inst)s and entity = %(entity)s order by loaded_at desc limit 1) select exists (select from ops.batch as x, "
            "of_content as c where x.src_inst_code = %(inst)s and x.entity = %(entity)s and x.loaded_at > c.loaded_at "
            "and x.run_id not in (c.run_id, %(run)s))"
        )
        of = {"uri": batch.landed.uri, "inst": batch.mapping.inst_code, "entity": batch.contract.entity}
        return self._connection.execute(query, of | {"run": self._run_id}).fetchone()[0]

    def _append(self, batch: Batch, before: pl.DataFrame) -> Loaded:
        """COPY new versions, and tombstones once the listing is complete. `before`: rows of the same records in the window's
        earlier batches."""
        current, counts = self._current_versions(batch), Loaded(batch.batch_id, received=batch.rows.height)
        newest = versions.newest(batch.rows)
        if before.height and batch.is_present_state:  # in it the newer of two rows is not always the later
            newest = versions.newer_than(newest, before)
        counts.repeated = batch.rows.height - newest.height
        later = None
        if batch.correction:
            where = self._connection, batch.mapping.inst_code, batch.contract.entity
            later = versions.landed_after(*where, batch.landed.uri)
        new, counts.unchanged = versions.keep(newest, current, batch.is_present_state, later)
        was_live, gone, ids = new["was_live"], new["gone"], new["id"]
        ended, appeared = ids.filter(was_live & gone), ids.filter(~(was_live | gone))
        changed = new[["id", "hash"]].filter(was_live & ~(gone | new["is_same"]))
        new = new.drop("was_live", "is_same")
        counts.stored = new.height
        counts.older = counts.received - counts.stored - counts.unchanged - counts.repeated
        parts = [new]
        if batch.is_listing and batch.ends_window:
            missing = self._missing(batch, current)
            counts.tombstoned = missing.height
            if missing.height:
                ended = ended.extend(missing["id"])
                parts.append(_tombstones(missing, batch.contract).select(new.columns))
        counts.effect = Effect(ended, appeared, changed)
        stored = pl.concat(parts)
        self._copy(stored, batch)
        is_over = batch.is_present_state and batch.ends_window  # a delivery's next file has use for it
        self._held.current = self._held.loaded = None
        if batch.is_listing and not is_over:
            self._held.current = versions.after(current, stored, batch.landed.manifest["ref_period"])
        return counts

    def _current_versions(self, batch: Batch) -> pl.DataFrame:
        held = self._held
        if batch.is_listing and held.current is not None and held.loaded == self._loaded(batch):
            return held.current
        ids = None if batch.is_listing else batch.rows["id"]
        return versions.current(self._connection, batch.mapping.inst_code, batch.contract.entity, ids)

    def _loaded(self, batch: Batch) -> tuple[int, datetime]:
        return versions.loaded(self._connection, batch.mapping.inst_code, batch.contract.entity)

    def _missing(self, batch: Batch, current: pl.DataFrame) -> pl.DataFrame:
        """Live records of the listing's period that it does not have."""
        return versions.missing(pl.concat(self._seen), current, batch.period)

    def _copy(self, rows: pl.DataFrame, batch: Batch) -> None:
        if rows.is_empty():
            return
        names = [*_META, *(f.name for f in batch.contract.columns)]
        target = sql.SQL("copy {}.{} ({}) from stdin").format(
            sql.Identifier("raw"),
            sql.Identifier(batch.contract.entity),
            sql.SQL(", ").join(map(sql.Identifier, names)),
        )
        keys = lines.copy_text(rows[["id", "record_key"]])
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


def _tombstones(missing: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Rows that end records which a complete listing no longer has.

    Each takes the version it ends, so that the record comes back whenever the source lists it again, at whatever version.
    """
    nothing = pl.lit(None, pl.String)
    rows = missing.select(
        "id",
        pl.col("current_version").alias("version"),
        pl.col("current_order").alias("order"),
        nothing.alias("record_key"),
        pl.lit(0, pl.Int64).alias("row_no"),
        pl.lit(True).alias("gone"),
        *(nothing.alias(f.name) for f in contract.columns),
    )
    return digested(rows, contract)


def _digest(run_id: str) -> str:
    return hashlib.sha256(run_id.encode()).hexdigest()[:12]
