"""Writes schema `published`: every mart with the same columns, `is_suppressed` and `is_kept` beside them.

Tables are filled beside the old ones and take their names at the end, so that a reader sees one publication or the other.
"""

import re

import polars as pl
import psycopg

from yuyan.disclosure import values
from yuyan.disclosure.counts import Counted
from yuyan.disclosure.expressions import (
    HIDDEN,
    KEPT,
    columns_of,
    following,
    has,
    listed,
    rounded,
    shown,
    stage,
)
from yuyan.disclosure.policy import Policy, Records, Table
from yuyan.domain import contracts

COMMENTS = """
select format('comment on %s published.%I is %L', case c.relkind when 'v' then 'view' else 'table' end, c.relname,
    d.description)
from pg_class p join pg_class c on c.relname = p.relname and c.relnamespace = 'published'::regnamespace
join pg_description d on d.objoid = p.oid and d.objsubid = 0 and d.classoid = 'pg_class'::regclass
where p.relnamespace = 'marts'::regnamespace and p.relkind in ('r', 'v')
union all
select format('comment on column published.%I.%I is %L', c.relname, a.attname, d.description)
from pg_class p join pg_class c on c.relname = p.relname and c.relnamespace = 'published'::regnamespace
join pg_attribute a on a.attrelid = p.oid and a.attnum > 0
join pg_attribute b on b.attrelid = c.oid and b.attname = a.attname and not b.attisdropped
join pg_description d on d.objoid = p.oid and d.objsubid = a.attnum and d.classoid = 'pg_class'::regclass
where p.relnamespace = 'marts'::regnamespace and p.relkind in ('r', 'v')
"""
OWN = {
    "is_suppressed": "本行是否有数字因人数（或单位数）过少而不公布：为空的不是 0",
    "is_kept": "本行是否有数字沿用上次公布的值：此后的变化不足最小人数",
}


def write(connection: psycopg.Connection, policy: Policy, counted: Counted, modes: pl.DataFrame) -> None:
    """Replace all tables and views of schema `published`; `modes` says what becomes of each count."""
    relations = dict(
        connection.execute(
            "select relname, relkind = 'v' from pg_class where relnamespace = 'marts'::regnamespace "
            "and relkind in ('r', 'v') order by 1"
        ).fetchall()
    )
    # joins on five columns of text are estimated at one row, and wide rows are sorted on the disk to be merged
    connection.execute("set local enable_nestloop = off; set local enable_mergejoin = off")
    views, statements = [], {}
    for name, is_view in relations.items():
        if name in policy.withheld:
            continue
        if name in policy.tables:
            statements[name] = _counting(connection, policy, policy.tables[name], counted, modes)
        elif name in policy.records:
            statements[name] = _records(connection, policy, name, policy.records[name])
        elif name == "indicator_value":
            statements[name] = values.indicator_value(connection, policy, counted, modes)
        elif is_view:
            views.append(name)
        else:
            statements[name] = None
    for write_values in (values.target_scorecard, values.target_by_version):
        if write_values.__name__ in statements:
            statements[write_values.__name__] = write_values(connection, policy)
    for name, query in statements.items():
        plain = f"select m.*, false as is_suppressed, false as is_kept from marts.{name} as m"
        connection.execute(f'create table published."{name}__new" as {query or plain}')
    old = "select relname, case relkind when 'v' then 'view' else 'table' end from pg_class "
    old += "where relnamespace = 'published'::regnamespace and relkind in ('r', 'v') and relname not like '%__new'"
    for name, kind in connection.execute(
        old + " order by relkind desc"
    ).fetchall():  # views before what they read
        connection.execute(f'drop {kind} published."{name}"')
    for name in statements:
        connection.execute(f'alter table published."{name}__new" rename to "{name}"')
    for name in views:
        connection.execute(f"create view published.{name} as {_view(connection, name, statements)}")
    connection.execute(
        "create unique index on published.indicator_value (variant_code, unit_code, period_code, grain, definition_version)"
    )
    comments = [comment for (comment,) in connection.execute(COMMENTS).fetchall()]
    for name, column in connection.execute(
        "select table_name, column_name from information_schema.columns where table_schema = 'published' "
        "and column_name in ('is_suppressed', 'is_kept')"
    ).fetchall():
        comments.append(f"comment on column published.{name}.{column} is '{OWN[column]}'")
    connection.execute("; ".join(comments))  # at once: there are more than a thousand


def _view(connection: psycopg.Connection, name: str, tables: dict[str, str | None]) -> str:
    """A view's own query, on the published tables; where it reads one of them row by row, with what is suppressed."""
    query = (
        connection.execute("select pg_get_viewdef(%s::regclass)", [f"marts.{name}"]).fetchone()[0].rstrip(";")
    )
    read = set(re.findall(r"\bmarts\.(\w+)", query))
    query = re.sub(r"\bmarts\.(\w+)", r"published.\1", query)
    if len(read) == 1 and read <= set(tables) and "GROUP BY" not in query:
        before, select, after = query.partition("FROM published.")
        query = f"{before.rstrip()}, is_suppressed, is_kept {select}{after}"
    return query


def _counting(
    connection: psycopg.Connection, policy: Policy, table: Table, counted: Counted, modes: pl.DataFrame
) -> str:
    keys = list(table.key)
    counts = [*table.counts, *table.money]
    names = stage(connection, table.name, keys, counts, counted.rows[table.name], modes)
    old = columns_of(connection, table.name, "published")
    sizes = {column: size for size, columns in table.order_statistics.items() for column in columns}
    hidden = " or ".join([has(names, HIDDEN), *(f"coalesce(m.{mark}, false)" for mark in table.marks)])
    chosen = []
    for column, kind in columns_of(connection, table.name).items():
        expression = f"m.{column}"
        if column in names:
            expression = shown(column, column, kind)
        elif column in table.follows:
            expression = following(
                column, kind, [n for n in table.follows[column] if n in names], column in old
            )
        elif column in sizes:
            size = sizes[column]
            follows = following(column, kind, [size], column in old) if size in names else f"m.{column}"
            expression = f"case when m.{size} >= {policy.uniform_minimum} then {follows} end"
        elif column in table.marks:
            expression = hidden
        if column in table.rounded:
            expression = rounded(expression, policy.decimals)
        chosen.append(f"{expression} as {column}")
    on = " and ".join(
        f"h.{k} is not distinct from m.{k}" if k in _nullable(connection, table.name) else f"h.{k} = m.{k}"
        for k in keys
    )
    before = " and ".join(f"o.{k} = m.{k}" for k in keys)
    return (
        f"select {', '.join(chosen)}, {hidden} as is_suppressed, {has(names, KEPT)} as is_kept "
        f"from marts.{table.name} as m left join hidden_{table.name} as h on {on} "
        + (f"left join published.{table.name} as o on {before}" if old else "")
    )


def _records(connection: psycopg.Connection, policy: Policy, table: str, records: Records) -> str:
    """Rows that count records of persons or firms are without figures; a share is there where every figure of it may be so
    many."""
    conditions = [f"m.{c} in ({listed(codes)})" for c, codes in records.only.items()]
    conditions += [f"m.{c} not in ({listed(codes)})" for c, codes in records.besides.items()]
    if records.entity:
        conditions.append(f"m.{records.entity} not in ({listed(of_things(policy))})")
    of_somebody = f"({' and '.join(conditions)})"
    are_many = {share: f"m.{whole} >= {many(policy)}" for share, whole in records.shares.items()}
    chosen, hidden = [], []
    for column in columns_of(connection, table):
        expression = f"m.{column}"
        if column in records.shares:
            blurred = f"case when {are_many[column]} then {rounded(expression, policy.decimals)} end"
            expression = f"case when {of_somebody} then {blurred} else {expression} end"
        elif column in (*records.figures, *records.follows):
            where = [f"not {of_somebody}", *(are_many.values() if column in records.follows else [])]
            expression = f"case when {' or '.join(where)} then {expression} end"
        if column in records.figures:
            hidden.append(f"m.{column} is not null")
        chosen.append(f"{expression} as {column}")
    return (
        f"select {', '.join(chosen)}, {of_somebody} and ({' or '.join(hidden)}) as is_suppressed, false as is_kept "
        f"from marts.{table} as m"
    )


def many(policy: Policy) -> int:
    """Of so many a share fits `minimum` figures, also one that is rounded to 0 or to 1, which has half as many."""
    return 2 * policy.minimum * 10**policy.decimals


def of_things(policy: Policy) -> list[str]:
    """Entities whose records are of no person and no firm."""
    of_firms = {fact.removeprefix("fct_") for fact in policy.variants.firms}
    return [e for e, c in contracts.load().items() if not c.privacy_tier and e not in of_firms]


def protected(policy: Policy, table: str) -> set[str]:
    """Columns of a published table that are hidden, kept or rounded where the policy asks for it."""
    if table in policy.tables:
        of = policy.tables[table]
        return {
            *of.counts,
            *of.money,
            *of.follows,
            *of.rounded,
            *of.marks,
            *sum(of.order_statistics.values(), ()),
        }
    if table in policy.records:
        records = policy.records[table]
        return {*records.figures, *records.shares, *records.follows}
    return values.protected(policy).get(table, set())


def _nullable(connection: psycopg.Connection, table: str) -> set[str]:
    """Columns of a view may be NULL; those of a table's key are not."""
    is_view = connection.execute(
        "select relkind = 'v' from pg_class where oid = to_regclass(%s)", [f"marts.{table}"]
    ).fetchone()
    return set(columns_of(connection, table)) if is_view and is_view[0] else set()
