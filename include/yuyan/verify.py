"""Whether what was made in part is what it would be if it were made whole: both are compared, row by row.

The star and the indicators are made anew only where something changed (docs/incremental.md). Here they are made whole in
schemas beside them and compared; a table that differs is named in `ops.verification` and made whole by the next run.
"""

from dataclasses import dataclass
from datetime import date

import psycopg
from psycopg import sql

from yuyan import settings, transform

LAYERS = ("star", "indicators")
STALE = """
select distinct r.model, r.relation from ops.read_version as r
left join ops.table_version as v using (relation)
where split_part(r.model, '.', 1) = any(%s) and coalesce(v.version, 0) <> r.version
order by 1, 2 limit 3
"""
STATE = """
select max(version), min(as_of), max(as_of) from ops.table_version
where split_part(relation, '.', 1) = any(%s) and made_from is not null
"""
CHANGED = "select max(version) from ops.table_version where relation like 'accepted.%'"
TABLES = """
select split_part(relation, '.', 1), split_part(relation, '.', 2) from ops.table_version
where split_part(relation, '.', 1) = any(%s) and made_from is not null order by relation
"""
"""Not those that are made whole every time, since they read what changes unnoticed."""
COUNT_DIFFERING = """
select (select count(*) from (select {columns} from {stands} except all select {columns} from {beside}) as a),
    (select count(*) from (select {columns} from {beside} except all select {columns} from {stands}) as b)
"""


class NotBuilt(RuntimeError):
    """The layers are not of what is accepted now, so there is nothing to compare; the message says what to do."""


class Differs(RuntimeError):
    """Tables that were made in part are not what they would be if made whole; the message names them."""


@dataclass(frozen=True)
class Difference:
    """Rows of a table that only stand, and rows that only its rebuilding has."""

    table: str
    standing: int
    rebuilt: int


def verify() -> int:
    """Compare every table of the star and the indicators with itself made whole; returns how many are equal.

    Raises NotBuilt, and Differs once the tables that differ are recorded in ops.verification and marked to be made whole by
    the next run.

    >>> verify()
    """
    with psycopg.connect(settings.warehouse_dsn("transform"), autocommit=True) as connection:
        state = _state(connection)
        try:
            transform.build_beside(state[-1], _scale(connection))
            found = _compare_all(connection, state)
        finally:  # a copy of the whole star stays nowhere
            for layer in LAYERS:
                _drop(connection, transform.BESIDE + layer)
        differing = [d for d in found if d.standing or d.rebuilt]
        _record(connection, state[-1], found)
    if differing:
        named = "; ".join(
            f"{d.table}: {d.standing} rows stand that are not made, {d.rebuilt} are made that do not stand"
            for d in differing
        )
        raise Differs(
            f"{named}. The next warehouse run makes them whole; start one, and report it: some model's `follows` is wrong"
        )
    return len(found)


def _state(connection: psycopg.Connection) -> tuple:
    """What the layers are: their newest change, that of what is accepted, and last their day.

    Raises NotBuilt where they are not of what is accepted now, or of several days.
    """
    stale = connection.execute(STALE, [list(LAYERS)]).fetchall()
    if stale:
        named = ", ".join(f"{relation} changed since {model} read it" for model, relation in stale)
        raise NotBuilt(f"the layers are not of what is accepted now ({named}): run the DAG `warehouse` first")
    newest, first, last = connection.execute(STATE, [list(LAYERS)]).fetchone()
    if last is None or first != last:
        raise NotBuilt(
            f"the layers are of {first or 'no day'} and {last or 'no day'}: run the DAG `warehouse` first"
        )
    return newest, *connection.execute(CHANGED).fetchone(), last


def _scale(connection: psycopg.Connection) -> float | None:
    """The size of the simulated city that the marts are of, whatever this process was told; None where sources are real."""
    if not connection.execute("select to_regclass('marts.indicator_value') is not null").fetchone()[0]:
        return settings.simulated_scale()
    found = connection.execute(
        "select city_scale from marts.indicator_value where is_simulated limit 1"
    ).fetchone()
    return found[0] if found else None


def _compare_all(connection: psycopg.Connection, state: tuple) -> list[Difference]:
    """All tables as of one moment. Raises NotBuilt where the layers are not what they were when building beside began."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        if _state(connection) != state:
            raise NotBuilt(
                "the layers were built anew meanwhile: try again when no run of the DAG `warehouse` works"
            )
        tables = connection.execute(TABLES, [list(LAYERS)]).fetchall()
        return [_compare(connection, layer, name) for layer, name in tables]


def _compare(connection: psycopg.Connection, layer: str, name: str) -> Difference:
    names = connection.execute(
        "select column_name from information_schema.columns where table_schema = %s and table_name = %s order by 1",
        [layer, name],
    ).fetchall()
    parts = {
        "columns": sql.SQL(", ").join(sql.Identifier(n) for (n,) in names),
        "stands": sql.Identifier(layer, name),
        "beside": sql.Identifier(transform.BESIDE + layer, name),
    }
    return Difference(
        f"{layer}.{name}", *connection.execute(sql.SQL(COUNT_DIFFERING).format(**parts)).fetchone()
    )


def _drop(connection: psycopg.Connection, schema: str) -> None:
    query = "select tablename from pg_tables where schemaname = %s"
    for (name,) in connection.execute(query, [schema]).fetchall():
        connection.execute(sql.SQL("drop table {} cascade").format(sql.Identifier(schema, name)))


def _record(connection: psycopg.Connection, as_of: date, found: list[Difference]) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "insert into ops.verification (as_of, relation, standing, rebuilt) values (%s, %s, %s, %s)",
            [(as_of, d.table, d.standing, d.rebuilt) for d in found],
        )
        cursor.executemany(
            "update ops.table_version set made_from = null where relation = %s",
            [(d.table,) for d in found if d.standing or d.rebuilt],
        )
