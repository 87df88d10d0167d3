"""The logins of the line's stages and what each may do: include/line_roles.yml, made so in the database.

The owner (YUYAN_WAREHOUSE_DSN) makes the structure and the logins; stages read and write rows. What people decided and what
left quarantine can only be added to, and a stage other than `decide` adds steps in the line's own name only. Where a
deployment gives the owner's DSN alone, every stage connects as the owner (`settings.warehouse_dsn`).
"""

from dataclasses import dataclass
from functools import cache

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from yuyan import settings
from yuyan.domain import yaml_file
from yuyan.domain.life_cycles import LINE
from yuyan.warehouse import logins

PREFIX = "yuyan_"
LOCK_TIMEOUT = "30min"
"""How long the line waits for a lock before its task fails and is tried again: a reader's transaction ends long before."""
LOCKS = "pg_advisory_lock(bigint), pg_advisory_xact_lock(bigint)"
EVENTS = "quality.life_cycle_event"


@dataclass(frozen=True)
class LineRole:
    """One entry of the file: schemas that it owns, schemas or tables by what it may do with their rows, functions that it
    calls as the owner, and what else."""

    label: str
    owns: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    insert: tuple[str, ...] = ()
    update: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    analyze: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    locks: bool = False
    temporary: bool = False

    @property
    def rights(self) -> logins.Rights:
        return {
            "SELECT": self.select,
            "INSERT": self.insert,
            "UPDATE": self.update,
            "DELETE": self.delete,
            "MAINTAIN": self.analyze,
        }


@cache
def load() -> dict[str, LineRole]:
    """Stage -> its role.

    >>> load()["validate"].owns
    ('judging',)
    """
    return {
        name: LineRole(**{k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()})
        for name, entry in yaml_file.read(settings.LINE_ROLES).items()
    }


def dsns(owner_dsn: str, passwords: dict[str, str]) -> dict[str, str]:
    """Stage -> the URL by which it reaches the warehouse of `owner_dsn` under our name for it."""
    return {stage: logins.dsn(owner_dsn, PREFIX + stage, passwords[stage]) for stage in load()}


def create(connection: psycopg.Connection, dsns: dict[str, str]) -> None:
    """Create the login of every stage by the user and password of its DSN, with its rights and no others. Safe to repeat.

    Runs as the owner, which needs CREATEROLE, after `ddl.create`. What stages own is handed over to them, also where one
    login had made it all. Raises psycopg.errors.InsufficientPrivilege.
    """
    users = {stage: conninfo_to_dict(dsn)["user"] for stage, dsn in dsns.items()}
    for stage, role in load().items():
        logins.create(connection, users[stage], conninfo_to_dict(dsns[stage])["password"])
        for schema in role.owns:
            logins.hand_over(connection, schema, users[stage])
    for stage, role in load().items():
        logins.grant(connection, users[stage], role.rights)
        _on_database(connection, users[stage], role)
        if EVENTS in role.insert:
            _speaks(connection, stage, users[stage])


def _on_database(connection: psycopg.Connection, user: str, role: LineRole) -> None:
    name, database = sql.Identifier(user), sql.Identifier(connection.info.dbname)
    setting = sql.SQL("alter role {} in database {} set lock_timeout = {}")
    connection.execute(setting.format(name, database, sql.Literal(LOCK_TIMEOUT)))
    privileges = "connect, temporary" if role.temporary else "connect"
    statement = sql.SQL("grant {} on database {} to {}")
    connection.execute(statement.format(sql.SQL(privileges), database, name))
    for function in {f for other in load().values() for f in other.calls}:
        verb = (
            "grant execute on function {} to {}"
            if function in role.calls
            else "revoke execute on function {} from {}"
        )
        connection.execute(sql.SQL(verb).format(sql.SQL(function), name))
    if role.locks and logins.is_superuser(connection):  # elsewhere everybody may call them
        connection.execute(sql.SQL("grant execute on function {} to {}").format(sql.SQL(LOCKS), name))


def _speaks(connection: psycopg.Connection, stage: str, user: str) -> None:
    """In whose name the stage may record steps: `decide` in everybody's, another in the line's own."""
    policy = sql.Identifier(f"steps_of_{stage}")
    check = sql.SQL("true") if stage == "decide" else sql.SQL("actor = {}").format(sql.Literal(LINE))
    if not connection.execute(
        "select 1 from pg_policies where (schemaname || '.' || tablename, policyname) = (%s, %s) and %s = any(roles)",
        [EVENTS, f"steps_of_{stage}", user],
    ).fetchone():
        connection.execute(sql.SQL("drop policy if exists {} on {}").format(policy, sql.SQL(EVENTS)))
        statement = sql.SQL("create policy {} on {} for insert to {} with check ({})")
        connection.execute(statement.format(policy, sql.SQL(EVENTS), sql.Identifier(user), check))
