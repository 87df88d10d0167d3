"""Who may read the warehouse: `bi_reader` the published figures, in which no person is; `analyst` also the star, whose rows
are pseudonymous persons; `auditor` the figures, what the line did, what the rules found and what allocation hangs on.

Rights are granted on schemas and by default privileges, so that tables which dbt builds anew stay readable.
"""

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

PUBLISHED = ("marts", "indicators", "estimates", "reference", "plan")
READABLE = {
    "bi_reader": PUBLISHED,
    "analyst": (*PUBLISHED, "star"),
    "auditor": (*PUBLISHED, "quality", "ops", "allocation"),
}
"""Role -> schemas it may select from."""


def create(connection: psycopg.Connection, passwords: dict[str, str]) -> None:
    """Create the read-only login roles, or bring their rights and passwords up to date. Safe to repeat.

    Runs as the role that owns the tables; it needs CREATEROLE. Raises psycopg.errors.InsufficientPrivilege without it.
    """
    for role, schemas in READABLE.items():
        name = sql.Identifier(role)
        if not connection.execute("select 1 from pg_roles where rolname = %s", [role]).fetchone():
            connection.execute(sql.SQL("create role {} login").format(name))
        connection.execute(
            sql.SQL("alter role {} with login password {} connection limit 20").format(
                name, sql.Literal(passwords[role])
            )
        )
        connection.execute(sql.SQL("alter role {} set default_transaction_read_only = on").format(name))
        for schema in schemas:
            where = {"schema": sql.Identifier(schema), "role": name}
            for statement in (
                "create schema if not exists {schema}",
                "grant usage on schema {schema} to {role}",
                "grant select on all tables in schema {schema} to {role}",
                "alter default privileges in schema {schema} grant select on tables to {role}",
            ):
                connection.execute(sql.SQL(statement).format(**where))


def dsn(owner_dsn: str, role: str, password: str) -> str:
    """The URL by which a role reaches the warehouse of `owner_dsn`."""
    parts = conninfo_to_dict(owner_dsn)
    host, port = parts.get("host", "127.0.0.1"), parts.get("port", 5432)
    return f"postgresql://{role}:{password}@{host}:{port}/{parts['dbname']}"
