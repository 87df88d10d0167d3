"""Who may read the warehouse: the roles of include/roles.yml, each with its schemas.

What a reader does ends before it is in the line's way: statements, waits for locks and idle transactions have a time limit,
temporary files a size. They read only: no temporary tables, no large objects, no advisory locks, which the line holds.

Rights are granted on schemas and by default privileges, so that tables which dbt builds anew stay readable.
"""

import re

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from yuyan import settings
from yuyan.domain.yaml_file import YamlFile

READABLE = (
    *("published", "research", "marts", "indicators", "estimates", "reference", "plan", "star"),
    *("quality", "ops", "allocation", "changes", "accountability"),
)
"""Schemas that a role may be given. Records as they came (raw, latest, accepted, judging) are the line's alone."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
LIMITS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "15min",
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "5min",
    "work_mem": "32MB",
}
"""Settings of every reader's sessions. A reader may raise them for itself; SERVER_LIMITS it may not."""
SERVER_LIMITS = {"temp_file_limit": "8GB"}
"""Set where the line's role is a superuser, as in the embedded server; elsewhere the server's administrator sets them."""

OUT_OF_REACH = "^(pg_(try_)?advisory_|lo_|lowrite$|loread$|pg_notify$|pg_logical_emit_message$)"
"""Functions that PostgreSQL lets everybody call and by which one session can hold up or fill the server of another."""
LINE_LOCK_TIMEOUT = "30min"
"""How long the line waits for a lock before its task fails and is tried again: a reader's transaction ends long before."""


class RoleError(ValueError):
    """A role that cannot be made; the message names file, line and remedy."""


def readable() -> dict[str, tuple[str, ...]]:
    """Role -> schemas it may select from, in the order of the file. Raises RoleError, YamlError.

    >>> roles.readable()["analyst"]
    ('published', 'marts', 'indicators', 'estimates', 'reference', 'plan', 'star')
    """
    file = YamlFile(settings.roles_file())
    found = {}
    for role, entry in file.data.items():
        if not _NAME.fullmatch(str(role)):
            raise RoleError(f"{file.at(role)}: {role!r} is no role name; use small letters, digits and _")
        if (
            not isinstance(entry, dict)
            or set(entry) - {"states_purpose"} != {"label", "reads"}
            or not entry["reads"]
        ):
            raise RoleError(
                f"{file.at(role)}: {role} needs `label:` and `reads: [schema, …]`, and at most "
                "`states_purpose: true` beside them"
            )
        if unknown := [schema for schema in entry["reads"] if schema not in READABLE]:
            raise RoleError(
                f"{file.at(role, 'reads')}: {role} may not read {', '.join(map(str, unknown))}; "
                f"known are {', '.join(READABLE)}"
            )
        found[str(role)] = tuple(entry["reads"])
    return found


def bound() -> list[str]:
    """Roles that read persons only in sessions that have said what for (published.state_purpose)."""
    return [
        role for role, entry in YamlFile(settings.roles_file()).data.items() if entry.get("states_purpose")
    ]


def create(connection: psycopg.Connection, passwords: dict[str, str]) -> None:
    """Create the read-only login roles, or bring their rights and passwords up to date. Safe to repeat.

    Runs as the role that owns the tables; it needs CREATEROLE. Raises psycopg.errors.InsufficientPrivilege without it.
    """
    _shut(connection)
    for role, schemas in readable().items():
        name = sql.Identifier(role)
        if not connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone():
            connection.execute(sql.SQL("create role {} login").format(name))
        connection.execute(
            sql.SQL("alter role {} with login password {} connection limit 20").format(
                name, sql.Literal(passwords[role])
            )
        )
        for setting, value in LIMITS.items() | (
            SERVER_LIMITS.items() if _is_superuser(connection) else set()
        ):
            statement = sql.SQL("alter role {} set {} = {}")
            connection.execute(statement.format(name, sql.Identifier(setting), sql.Literal(value)))
        for schema in schemas:
            where = {"schema": sql.Identifier(schema), "role": name}
            for statement in (
                "create schema if not exists {schema}",
                "grant usage on schema {schema} to {role}",
                "grant select on all tables in schema {schema} to {role}",
                "alter default privileges in schema {schema} grant select on tables to {role}",
            ):
                connection.execute(sql.SQL(statement).format(**where))
    _bind(connection)


def _bind(connection: psycopg.Connection) -> None:
    """Who must state a purpose may do so: its sessions can write, and there is nothing else that it may write."""
    connection.execute("delete from disclosure.bound_reader")
    for role in bound():
        name = sql.Identifier(role)
        connection.execute("insert into disclosure.bound_reader values (%s)", [role])
        connection.execute(sql.SQL("alter role {} set default_transaction_read_only = off").format(name))
        connection.execute(sql.SQL("grant execute on function published.state_purpose to {}").format(name))


def _is_superuser(connection: psycopg.Connection) -> bool:
    return connection.info.parameter_status("is_superuser") == "on"


def _shut(connection: psycopg.Connection) -> None:
    """Take from everybody what nobody but the line needs in this database, and bound the line's own waits."""
    database, line = sql.Identifier(connection.info.dbname), sql.Identifier(connection.info.user)
    connection.execute(sql.SQL("revoke temporary, create on database {} from public").format(database))
    connection.execute("revoke create on schema public from public")
    bound = sql.SQL("alter role {} in database {} set lock_timeout = {}")
    connection.execute(bound.format(line, database, sql.Literal(LINE_LOCK_TIMEOUT)))
    if not _is_superuser(connection):
        return
    functions = connection.execute(
        "select string_agg(oid::regprocedure::text, ', ') from pg_proc where proname ~ %s "
        "and pronamespace = 'pg_catalog'::regnamespace and has_function_privilege('public', oid, 'execute')",
        [OUT_OF_REACH],
    ).fetchone()[0]
    if functions:
        connection.execute(sql.SQL("revoke execute on function {} from public").format(sql.SQL(functions)))


def dsn(owner_dsn: str, role: str, password: str) -> str:
    """The URL by which a role reaches the warehouse of `owner_dsn`."""
    parts = conninfo_to_dict(owner_dsn)
    host, port = parts.get("host", "127.0.0.1"), parts.get("port", 5432)
    return f"postgresql://{role}:{password}@{host}:{port}/{parts['dbname']}"
