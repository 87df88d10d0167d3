"""Landed batches made by hand for the load tests: org_units of one institution per product."""

from datetime import date
from typing import Any

import polars as pl
import psycopg

from yuyan.collect import landing
from yuyan.collect.source import ITEMS, Page, Window
from yuyan.domain import contracts, institutions
from yuyan.domain.contracts import Contract
from yuyan.load.loader import Loaded, load

AS_OF = date(2026, 10, 15)
CONTRACT = contracts.load()["org_unit"]
INSTITUTIONS = institutions.load()


def page(
    inst_code: str, rows: list[dict[str, Any]], feed: str = ITEMS, contract: Contract = CONTRACT
) -> Page:
    """Rows by the source's names for record id, version and mark (`id`, `version`, `gone`) and by contract field."""
    mapping = INSTITUTIONS[inst_code].mapping(contract)
    own = {"id": mapping.record_id[0], "version": mapping.version_column, "gone": mapping.deleted}
    names = dict.fromkeys(mapping.announced)
    if feed != ITEMS:
        names = dict.fromkeys(
            [*mapping.record_id, mapping.version_column, "deleted_at", "old_key", "new_key"]
        )
    made = []
    for row in rows:
        made.append(
            dict.fromkeys(names)
            | {own.get(k) or mapping.names.get(k, k): str(v) for k, v in row.items() if v is not None}
        )
    return Page(pl.DataFrame(made, schema=dict.fromkeys(names, pl.String)), feed)


def unit(record: str, version: Any, name: str = "学院", **more: Any) -> dict[str, Any]:
    """An org_unit with one field that tests change."""
    return {"id": record, "version": version, "unit_code": record, "unit_name": name, **more}


def landed(
    inst_code: str,
    rows: list[dict],
    mode: str = "incremental",
    run_id: str = "run",
    contract: Contract = CONTRACT,
    **window: Any,
) -> landing.Landed:
    """Land rows; a row with `deletes=True` comes by the deletes feed, one with `new_key` by keyChanges."""
    institution = INSTITUTIONS[inst_code]
    feeds: dict[str, list[dict]] = {"items": [], "deletes": [], "keyChanges": []}
    for row in rows:
        feed = "deletes" if row.pop("deletes", False) else "keyChanges" if "new_key" in row else "items"
        feeds[feed].append(row)
    pages = [
        page(inst_code, r[i : i + 7], feed, contract)
        for feed, r in feeds.items()
        for i in range(0, len(r), 7)
    ]
    window = Window("org_unit", mode, **window)
    mapping = institution.mapping(contract)
    (batch,) = landing.land(institution, contract, mapping, window, pages, run_id, AS_OF)
    return batch


def put(
    dsn: str,
    inst_code: str,
    rows: list[dict],
    mode: str = "incremental",
    cursor: str | None = None,
    **how: Any,
) -> Loaded:
    """Land and load rows."""
    batch = landed(inst_code, rows, mode, **how)
    with psycopg.connect(dsn, autocommit=True) as connection:
        mapping = INSTITUTIONS[inst_code].mapping(CONTRACT)
        return load(connection, batch, CONTRACT, mapping, how.get("run_id", "run"), AS_OF, cursor)


def counts(loaded: Loaded) -> tuple[int, int, int, int, int]:
    """received, stored, unchanged, superseded, tombstoned."""
    return loaded.received, loaded.stored, loaded.unchanged, loaded.superseded, loaded.tombstoned


def live(dsn: str, inst_code: str) -> dict[str, str | None]:
    """Record -> unit_name of the newest versions that are not deleted."""
    query = (
        "select src_record_id, unit_name from (select distinct on (src_record_id) * from raw.org_unit "
        "where src_inst_code = %s order by src_record_id, source_version desc, raw_id desc) r "
        "where not is_deleted order by 1"
    )
    return dict(fetch(dsn, query, inst_code))


def fetch(dsn: str, query: str, *parameters: Any) -> list[tuple]:
    """All rows of a query."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(query, parameters).fetchall()
