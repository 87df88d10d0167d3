"""Schema `previous`: the tables of which indicators are made as the last publication found them, and which of their
rows may be others now.

A publication reads them as a model does (docs/incremental.md): `ops.read_version` has the version that is kept, so
that what changed since is known to the key. Where it is not, any row may be another.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg import sql

SCHEMA = "previous"
ANY, NONE = "true", "false"
"""Conditions: any row may be another, none is."""

# Of the columns that were noted with every change, that of whose keys (as statistics have them) the smallest part changed.
_KEYS = """
with noted as (select version, column_name, key from ops.changed_key where relation = %(source)s and version > %(since)s),
counted as (
    select column_name, count(distinct key) as keys from noted
    where column_name = any(%(columns)s) and not exists (select from noted where key is null)
    group by column_name having count(distinct version) = (select count(distinct version) from noted)
)
select column_name from counted as c order by keys / greatest((
    select case when s.n_distinct < 0 then -s.n_distinct * t.reltuples else s.n_distinct end
    from pg_stats as s inner join pg_class as t on t.oid = to_regclass(%(source)s)
    where (s.schemaname, s.tablename) = (split_part(%(source)s, '.', 1), split_part(%(source)s, '.', 2))
        and s.attname = c.column_name and not s.inherited
), 1), column_name limit 1
"""


@dataclass(frozen=True)
class Table:
    """Columns of `source` (schema.table) that are kept as previous.`name`."""

    source: str
    name: str
    columns: tuple[str, ...]

    @property
    def kept(self) -> str:
        return f"{SCHEMA}.{self.name}"


def may_differ(connection: psycopg.Connection, table: Table) -> str:
    """A condition on the rows of the table and of what is kept of it, which each row fulfils that only one of them has.

    NONE where the table has the version that is kept, ANY where it is not noted which keys changed since. The keys are put
    into a temporary table, so that the planner knows how many they are; what is kept gets an index of the column.
    """
    if held(connection, table) != frozenset(table.columns):
        return ANY
    versions = connection.execute(
        "select r.version, v.version from ops.read_version as r inner join ops.table_version as v using (relation) "
        "where r.model = %s and r.relation = %s",
        [table.kept, table.source],
    ).fetchone()
    if versions is None:
        return ANY
    since, now = versions
    if since == now:
        return NONE
    given = {"source": table.source, "since": since, "columns": list(table.columns)}
    found = connection.execute(_KEYS, given).fetchone()
    if found is None:
        return ANY
    (column,) = found
    touched = f"touched_{table.name}"
    connection.execute(f"drop table if exists {touched}")
    connection.execute(
        f"create temp table {touched} on commit drop as select distinct key from ops.changed_key "
        f"where relation = '{table.source}' and version > {since} and column_name = '{column}'"
    )
    connection.execute(f"analyze {touched}")
    connection.execute(
        f"create index if not exists {table.name}_{column} on {table.kept} ((cast({column} as text)))"
    )
    if connection.execute(f"select exists (select from {touched} where key = '')").fetchone()[0]:
        return f"coalesce(cast({column} as text), '') in (select key from {touched})"
    return f"cast({column} as text) in (select key from {touched})"


def held(connection: psycopg.Connection, table: Table) -> frozenset[str]:
    """The columns that are kept of the table; none where it was not there then."""
    query = "select column_name from information_schema.columns where table_schema = %s and table_name = %s"
    return frozenset(name for (name,) in connection.execute(query, [SCHEMA, table.name]))


def relation(connection: psycopg.Connection, table: Table) -> str:
    """What is kept of the table, to select from; without rows where it was not there then."""
    return (
        table.kept if held(connection, table) else f"(select * from {table.source} limit 0) as not_there_then"
    )


def keep(connection: psycopg.Connection, tables: Iterable[Table]) -> None:
    """Keep of these tables what is in them now, and forget all others."""
    wanted = {t.name: t for t in tables}
    there = connection.execute("select tablename from pg_tables where schemaname = %s", [SCHEMA]).fetchall()
    for name in {name for (name,) in there} - set(wanted):
        connection.execute(sql.SQL("drop table {}.{}").format(sql.Identifier(SCHEMA), sql.Identifier(name)))
    connection.execute(
        "delete from ops.read_version where starts_with(model, %s) and model <> all(%s)",
        [f"{SCHEMA}.", [t.kept for t in wanted.values()]],
    )
    for table in wanted.values():
        _keep(connection, table)


def _keep(connection: psycopg.Connection, table: Table) -> None:
    version = connection.execute(  # before the rows: what changes in between is read again by the next
        "select version from ops.table_version where relation = %s", [table.source]
    ).fetchone()
    condition, columns = may_differ(connection, table), ", ".join(table.columns)
    if condition == ANY:
        connection.execute(f"drop table if exists {table.kept}")
        connection.execute(f"create table {table.kept} as select {columns} from {table.source}")
    elif condition != NONE:
        connection.execute(f"delete from {table.kept} where {condition}")
        connection.execute(f"insert into {table.kept} select {columns} from {table.source} where {condition}")
    if version is None:  # nothing was ever written into it
        return
    connection.execute(
        "insert into ops.read_version (model, relation, version) values (%s, %s, %s) "
        "on conflict (model, relation) do update set version = excluded.version",
        [table.kept, table.source, *version],
    )
