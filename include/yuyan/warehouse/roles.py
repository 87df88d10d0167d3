"""Who may read the warehouse: the roles of include/roles.yml, each with its schemas.

What a reader does ends before it is in the line's way: statements, waits for locks and idle transactions have a time limit,
temporary files a size. They read only: no temporary tables, no large objects, no advisory locks, which the line holds.
"""

import re

import psycopg
from psycopg import sql

from yuyan import settings
from yuyan.domain.yaml_file import YamlFile
from yuyan.warehouse import line_roles, logins

READABLE = (
    *("published", "research", "access", "marts", "indicators", "estimates", "reference", "plan", "star"),
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


class RoleError(ValueError):
    """A role that cannot be made; the message names file, line and remedy."""


def readable() -> dict[str, tuple[str, ...]]:
    """Role -> schemas it may select from, in the order of the file. Raises RoleError, YamlError.

    >>> roles.readable()["analyst"]
    ('published', 'marts', 'indicators', 'estimates', 'reference', 'plan', 'star', 'access')
    """
    file = YamlFile(settings.roles_file())
    found = {}
    for role, entry in file.data.items():
        if not _NAME.fullmatch(str(role)):
            raise RoleError(f"{file.at(role)}: {role!r} is no role name; use small letters, digits and _")
        if role in settings.STAGES:
            raise RoleError(f"{file.at(role)}: {role} is a stage of the line; choose another name")
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
    """Roles that read persons only in sessions that have said what for (access.state_purpose)."""
    return [
        role for role, entry in YamlFile(settings.roles_file()).data.items() if entry.get("states_purpose")
    ]


def create(connection: psycopg.Connection, passwords: dict[str, str]) -> None:
    """Create the read-only login roles, or bring their rights and passwords up to date. Safe to repeat.

    Runs as the role that owns the tables; it needs CREATEROLE. Raises psycopg.errors.InsufficientPrivilege without it.
    """
    _shut(connection)
    limits = LIMITS | (SERVER_LIMITS if logins.is_superuser(connection) else {})
    for role, schemas in readable().items():
        name = sql.Identifier(role)
        logins.create(connection, role, passwords[role])
        connection.execute(sql.SQL("alter role {} connection limit 20").format(name))
        for setting, value in limits.items():
            statement = sql.SQL("alter role {} set {} = {}")
            connection.execute(statement.format(name, sql.Identifier(setting), sql.Literal(value)))
        for schema in schemas:
            connection.execute(sql.SQL("create schema if not exists {}").format(sql.Identifier(schema)))
        logins.grant(connection, role, {"SELECT": schemas})
        database = sql.Identifier(connection.info.dbname)
        connection.execute(sql.SQL("grant connect on database {} to {}").format(database, name))
    _bind(connection)


def _bind(connection: psycopg.Connection) -> None:
    """Who must state a purpose may do so: its sessions can write, and there is nothing else that it may write."""
    connection.execute("delete from disclosure.bound_reader where reader <> all(%s)", [bound()])
    for role in bound():
        name = sql.Identifier(role)
        connection.execute("insert into disclosure.bound_reader values (%s) on conflict do nothing", [role])
        connection.execute(sql.SQL("alter role {} set default_transaction_read_only = off").format(name))
        connection.execute(sql.SQL("grant execute on function access.state_purpose to {}").format(name))


def _shut(connection: psycopg.Connection) -> None:
    """Take from everybody what nobody but the line needs in this database, and bound the line's own waits."""
    database, line = sql.Identifier(connection.info.dbname), sql.Identifier(connection.info.user)
    connection.execute(
        sql.SQL("revoke temporary, create, connect on database {} from public").format(database)
    )
    connection.execute("revoke create on schema public from public")
    bound = sql.SQL("alter role {} in database {} set lock_timeout = {}")
    connection.execute(bound.format(line, database, sql.Literal(line_roles.LOCK_TIMEOUT)))
    if not logins.is_superuser(connection):
        return
    functions = connection.execute(
        "select string_agg(oid::regprocedure::text, ', ') from pg_proc where proname ~ %s "
        "and pronamespace = 'pg_catalog'::regnamespace and has_function_privilege('public', oid, 'execute')",
        [OUT_OF_REACH],
    ).fetchone()[0]
    if functions:
        connection.execute(sql.SQL("revoke execute on function {} from public").format(sql.SQL(functions)))
