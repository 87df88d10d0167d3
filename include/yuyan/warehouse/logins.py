"""Logins of the warehouse: made with a password, given exactly the rights that are listed, handed what they own.

Rights are compared with what the catalogue says, and only what differs is changed: `yuyan init` may be repeated while the
line works, and what a list no longer names is taken back.
"""

import time
from collections.abc import Collection, Mapping

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

Rights = Mapping[str, Collection[str]]
"""Privilege, as the server calls it -> schemas or single tables. Of a schema, views are read only, and what is made later
may be read at once, but written only when the rights are given again."""

TRIES = 20
"""To give rights while the line makes tables anew."""

MAINTAIN_SINCE = 170000
"""The server version that lets others than a table's owner analyze it; before it, autovacuum alone does."""

_RELATIONS = """
select n.nspname, c.relname, c.relkind in ('r', 'p') from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm')
"""
_ON_TABLES = """
select n.nspname, c.relname, a.privilege_type
from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join aclexplode(c.relacl) a
where pg_get_userbyid(a.grantee) = %(user)s and c.relowner <> a.grantee
"""
_ON_SCHEMAS = """
select n.nspname, a.privilege_type from pg_namespace n cross join aclexplode(n.nspacl) a
where pg_get_userbyid(a.grantee) = %(user)s and n.nspowner <> a.grantee
"""
_ON_NEW_TABLES = """
select n.nspname, pg_get_userbyid(d.defaclrole), a.privilege_type
from pg_default_acl d join pg_namespace n on n.oid = d.defaclnamespace cross join aclexplode(d.defaclacl) a
where pg_get_userbyid(a.grantee) = %(user)s and d.defaclobjtype = 'r'
"""
_NOT_OWNED = """
select case c.relkind when 'v' then 'view' when 'm' then 'materialized view' when 'S' then 'sequence' else 'table' end,
    c.oid::regclass::text
from pg_class c
where c.relnamespace = to_regnamespace(%(schema)s) and c.relkind in ('r', 'p', 'v', 'm', 'S')
    and pg_get_userbyid(c.relowner) <> %(user)s and not exists (  -- a sequence that belongs to a column goes with its table
        select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')
        and d.refclassid = 'pg_class'::regclass and c.relkind = 'S'
    )
union all
select 'routine', p.oid::regprocedure::text from pg_proc p
where p.pronamespace = to_regnamespace(%(schema)s) and pg_get_userbyid(p.proowner) <> %(user)s
union all
select 'type', t.oid::regtype::text from pg_type t
where t.typnamespace = to_regnamespace(%(schema)s) and t.typtype in ('e', 'd') and pg_get_userbyid(t.typowner) <> %(user)s
"""


def is_superuser(connection: psycopg.Connection) -> bool:
    return connection.info.parameter_status("is_superuser") == "on"


def create(connection: psycopg.Connection, user: str, password: str) -> None:
    """Make a login that may nothing yet, or give it this password. Needs CREATEROLE."""
    name = sql.Identifier(user)
    if not connection.execute("select 1 from pg_roles where rolname = %s", [user]).fetchone():
        connection.execute(sql.SQL("create role {} login").format(name))
    connection.execute(sql.SQL("alter role {} with login password {}").format(name, sql.Literal(password)))


def hand_over(connection: psycopg.Connection, schema: str, user: str) -> None:
    """Make a login the owner of a schema and of all in it. Who is no superuser becomes a member of the login for it."""
    name, where = sql.Identifier(user), sql.Identifier(schema)
    if not is_superuser(connection):
        connection.execute(sql.SQL("grant {} to current_user").format(name))
    connection.execute(sql.SQL("create schema if not exists {} authorization {}").format(where, name))
    (owner,) = connection.execute(
        "select pg_get_userbyid(nspowner) from pg_namespace where nspname = %s", [schema]
    ).fetchone()
    if owner != user:
        connection.execute(sql.SQL("alter schema {} owner to {}").format(where, name))
    _hand_over_content(connection, schema, user)


def _hand_over_content(connection: psycopg.Connection, schema: str, user: str) -> None:
    name = sql.Identifier(user)
    for kind, what in connection.execute(_NOT_OWNED, {"schema": schema, "user": user}).fetchall():
        # both as the server writes them
        statement = sql.SQL("alter {} {} owner to {}")
        connection.execute(statement.format(sql.SQL(kind), sql.SQL(what), name))


def grant(connection: psycopg.Connection, user: str, rights: Rights) -> None:
    """Give a login these rights on tables and the use of their schemas, and take all others from it but what it owns.

    The line may be at work: where a table goes meanwhile, since it is made anew, all of it is done again.
    """
    for left in reversed(range(TRIES)):
        try:
            with connection.transaction():
                return _grant(connection, user, rights)
        except (psycopg.errors.UndefinedTable, psycopg.errors.InternalError_):  # gone, or going
            if not left:
                raise
            time.sleep(0.2)


def _grant(connection: psycopg.Connection, user: str, rights: Rights) -> None:
    if connection.info.server_version < MAINTAIN_SINCE:
        rights = {privilege: places for privilege, places in rights.items() if privilege != "MAINTAIN"}
    owner = dict(connection.execute("select nspname, pg_get_userbyid(nspowner) from pg_namespace").fetchall())
    places = {(privilege, place) for privilege, named in rights.items() for place in named}
    # before the tables are listed: one that is made in between is given its rights twice, not taken them
    on_schemas, on_tables, on_new = (
        set(connection.execute(query, {"user": user}).fetchall())
        for query in (_ON_SCHEMAS, _ON_TABLES, _ON_NEW_TABLES)
    )
    relations = connection.execute(_RELATIONS).fetchall()
    tables = {
        (schema, table, privilege)
        for schema, table, is_table in relations
        for privilege, place in places
        if place in (schema, f"{schema}.{table}") and (is_table or privilege == "SELECT")
    }
    schemas = {(place.partition(".")[0], "USAGE") for _, place in places}
    new = {  # reading alone: the rest would be given on views, too, and an update of a view is its owner's
        (place, maker, privilege)
        for privilege, place in places
        if "." not in place and privilege == "SELECT"
        for maker in (owner[place], connection.info.user)
    }
    for held, wanted, statement in (
        (on_schemas, schemas, "{verb} {privilege} on schema {0} {to} {user}"),
        (on_tables, tables, "{verb} {privilege} on {0}.{1} {to} {user}"),
        (
            on_new,
            new,
            "alter default privileges for role {1} in schema {0} {verb} {privilege} on tables {to} {user}",
        ),
    ):
        for verb, to, entries in (("revoke", "from", held - wanted), ("grant", "to", wanted - held)):
            for *names, privilege in sorted(entries):
                filled = sql.SQL(statement).format(
                    *map(sql.Identifier, names),
                    verb=sql.SQL(verb),
                    to=sql.SQL(to),
                    privilege=sql.SQL(privilege),
                    user=sql.Identifier(user),
                )
                connection.execute(filled)


def own_database(connection: psycopg.Connection, user: str, password: str) -> None:
    """Make a login that owns the connected database and all in its schema `public`, and let nobody else connect."""
    create(connection, user, password)
    name, database = sql.Identifier(user), sql.Identifier(connection.info.dbname)
    if not is_superuser(connection):
        connection.execute(sql.SQL("grant {} to current_user").format(name))
    connection.execute(sql.SQL("alter database {} owner to {}").format(database, name))
    connection.execute(sql.SQL("revoke connect on database {} from public").format(database))
    _hand_over_content(connection, "public", user)


def dsn(owner_dsn: str, user: str, password: str) -> str:
    """The URL by which a login reaches the database of `owner_dsn`."""
    parts = conninfo_to_dict(owner_dsn)
    host, port = parts.get("host", "127.0.0.1"), parts.get("port", 5432)
    return f"postgresql://{user}:{password}@{host}:{port}/{parts['dbname']}"
