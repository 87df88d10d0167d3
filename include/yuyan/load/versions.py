"""Which rows of a batch are new: newest within the batch, compared with the versions that raw holds.

`rows` of a batch have id, version, row_no, gone (ends its record) and hash; `current` (what `current`
returns) is narrow, some sixty bytes a record.
"""

import io
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from yuyan.warehouse import records

_CURRENT = {
    "id": pl.String,
    "current_order": pl.Int64,
    "current_version": pl.Int64,
    "current_hash": pl.String,
    "current_gone": pl.Boolean,
    "ref_period": pl.String,
    "landing_uri": pl.String,
}

_HASHES = """r.src_record_id, r.source_version, coalesce(r.stated_version, r.source_version),
    encode(r.row_hash, 'hex'), case when r.is_deleted then 'true' else 'false' end, b.ref_period, b.landing_uri"""


@dataclass
class Held:
    """What raw holds of an institution's entity (as `current` returns it), remembered from one batch to the next.

    `loaded` is what had been loaded when it was true: where that differs, another has loaded or something was taken back.
    """

    current: pl.DataFrame | None = None
    loaded: tuple[int, datetime] | None = None


def loaded(connection: psycopg.Connection, inst_code: str, entity: str) -> tuple[int, datetime]:
    """How many batches of an institution's entity are loaded, and when the last one was."""
    query = "select count(*), max(loaded_at) from ops.batch where src_inst_code = %s and entity = %s"
    return connection.execute(query, [inst_code, entity]).fetchone()


def newest(rows: pl.DataFrame) -> pl.DataFrame:
    """The newest row of every record in a batch (of two alike, the later), in the batch's order."""
    if rows["id"].n_unique() == rows.height:
        return rows
    return rows.sort("version", "row_no").unique("id", keep="last").sort("row_no")


def newer_than(rows: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """The rows whose record did not come before in the same window at the same or a greater version with this content."""
    first = before.group_by("id").agg(pl.col("version").max().alias("seen_version"), "hash")
    compared = rows.join(first, on="id", how="left", maintain_order="left")
    repeated = (pl.col("version") < pl.col("seen_version")) | pl.col("hash").is_in(pl.col("hash_right"))
    return compared.filter(~repeated.fill_null(False)).select(rows.columns)


def current(
    connection: psycopg.Connection, inst_code: str, entity: str, ids: pl.Series | None
) -> pl.DataFrame:
    """Newest versions that raw holds of an institution: of these records, looked up in the index, or of all (None).

    However many are asked for, none is read but these: a window's cost grows with its rows, not with all that is stored.
    """
    where = "r.src_inst_code = {inst_code}" + ("" if ids is None else " and r.src_record_id = any({ids})")
    select = records.newest(entity, _HASHES, where, "left join ops.batch b using (batch_id)")
    query = sql.SQL(f"copy ({select}) to stdout (format csv)").format(
        inst_code=inst_code, ids=None if ids is None else ids.unique().to_list()
    )
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        text = b"".join(map(bytes, copy))
    if not text:
        return pl.DataFrame(schema=_CURRENT)
    return pl.read_csv(io.BytesIO(text), has_header=False, schema=_CURRENT)


def colliding(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of one record at one version that say different things, by record: which one is right, nobody can tell."""
    if rows["id"].n_unique() == rows.height:
        return rows.clear()
    live = rows.filter(~pl.col("gone") & pl.col("id").is_duplicated())
    return (
        live.filter(pl.len().over("id", "version") > 1)
        .filter(pl.col("hash").n_unique().over("id", "version") > 1)
        .sort("id", "row_no")
    )


def keep(
    rows: pl.DataFrame, current: pl.DataFrame, is_present_state: bool, later: set[str] | None = None
) -> tuple[pl.DataFrame, int]:
    """The rows to store, with `was_live` (raw holds a live version), `is_same` (with this content) and `order`, and how many
    are unchanged; the others are older than the current version.

    Same digest: unchanged, but where the present state has a lower version than the current one, from which on the source's
    later versions count. The same version with another digest replaces it: a mapping was corrected, or a record that had
    been missing is there again. A complete listing of the present state is never older, whatever its versions say, nor is a
    row without a version. `order` never falls: it is the row's own version, or the current order where that is greater.
    `later`: the rows are a correction of a landed batch, and these batches landed after it; what they brought stays, and
    what was deleted stays deleted.
    """
    if not current.is_empty():
        current = current.join(rows, on="id", how="semi")
    if current.is_empty():
        return rows.with_columns(order=pl.col("version").fill_null(0), was_live=False, is_same=False), 0
    compared = rows.join(current, on="id", how="left", maintain_order="left")
    same = (pl.col("hash") == pl.col("current_hash")).fill_null(False)
    lower = (pl.col("version") < pl.col("current_version")).fill_null(False)
    older, unchanged = (pl.lit(False), same & ~lower) if is_present_state else (lower, same)
    if later is not None:
        older |= (pl.col("current_gone") | pl.col("landing_uri").is_in(list(later))).fill_null(False)
    was_live = (~pl.col("current_gone")).fill_null(False).alias("was_live")
    order = pl.max_horizontal("version", "current_order").fill_null(0).alias("order")
    new = compared.filter(~unchanged & ~older).select(*rows.columns, order, was_live, same.alias("is_same"))
    return new, compared.filter(unchanged).height


def after(current: pl.DataFrame, new: pl.DataFrame, ref_period: str) -> pl.DataFrame:
    """What raw holds once these rows are stored."""
    if new.is_empty():
        return current
    now = new.select(
        "id",
        pl.col("order").alias("current_order"),
        pl.coalesce("version", "order").alias("current_version"),
        pl.col("hash").alias("current_hash"),
        pl.col("gone").alias("current_gone"),
        pl.lit(ref_period).alias("ref_period"),
        pl.lit(None, pl.String).alias("landing_uri"),
    )
    return pl.concat([current.join(now, on="id", how="anti"), now])


def missing(listed: pl.DataFrame, current: pl.DataFrame, ref_period: str | None) -> pl.DataFrame:
    """Current live records (of a period) that a complete listing does not have."""
    if current.is_empty():
        return current
    absent = current.filter(~pl.col("current_gone")).join(listed, on="id", how="anti")
    return absent if ref_period is None else absent.filter(pl.col("ref_period") == ref_period)


HELD = "max(loaded_at) filter (where starts_with(batch_id, substring(landing_uri from '([^/]+)[.]parquet$')))"
"""Of a landing file's batches: when the source was last loaded as the file has it. Corrections by another mapping have other
ids and do not count; a window that does not move is loaded again from the file that it once landed as."""


def landed_after(connection: psycopg.Connection, inst_code: str, entity: str, uri: str) -> set[str]:
    """Landing files of an institution's entity that were last loaded after this one."""
    query = (
        "select landing_uri from ops.batch where src_inst_code = %(code)s and entity = %(entity)s group by landing_uri "
        f"having {HELD} > (select {HELD} from ops.batch where landing_uri = %(uri)s)"
    )
    return {u for (u,) in connection.execute(query, {"code": inst_code, "entity": entity, "uri": uri})}


def has_any(connection: psycopg.Connection, inst_code: str, entity: str) -> bool:
    """Whether raw holds anything of an institution's entity."""
    query = sql.SQL("select exists (select from raw.{} where src_inst_code = %s)").format(
        sql.Identifier(entity)
    )
    return connection.execute(query, [inst_code]).fetchone()[0]


def live_count(
    connection: psycopg.Connection, inst_code: str, entity: str, at_most: int | None = None
) -> int:
    """Records of an institution whose newest version is not a deletion; `at_most` ends the counting there.

    All records less those that are deleted: both are counted in an index, and no row is read that is no deletion.
    """
    gone = f"r.src_inst_code = %(inst)s and r.is_deleted and {records.is_newest('r', entity)}"
    query = (
        f"with gone as (select count(*) as n from raw.{entity} as r where {gone}) "
        f"select (select count(*) from (select distinct src_record_id from raw.{entity} where src_inst_code = %(inst)s "
        "limit %(most)s::bigint + (select n from gone)) as known) - n from gone"
    )
    return connection.execute(query, {"inst": inst_code, "most": at_most}).fetchone()[0]


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
