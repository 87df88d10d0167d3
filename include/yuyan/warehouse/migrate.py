"""Numbered changes of the warehouse's structure: applied once, in order, and recorded in ops.migration.

`migrations/NNNN_name.sql` is never edited once it has been released: another change is another file. What follows from the
contracts (raw, accepted, latest) is not among them (`ddl.py`). The first files bring up a warehouse from nothing and do
nothing to one that was made before migrations were recorded.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg

FOLDER = Path(__file__).with_name("migrations")
LOCK = 7_220_262
"""Key of the advisory lock: one upgrade at a time."""

_LEDGER = """
create schema if not exists ops;
create table if not exists ops.migration (
    number int primary key,
    name text not null,
    digest text not null,
    applied_at timestamptz not null default clock_timestamp()
);
comment on table ops.migration is '已执行的结构变更（include/yuyan/warehouse/migrations），按编号各执行一次';
comment on column ops.migration.digest is '文件内容的摘要：已执行的文件不得再改';
"""


class MigrationError(RuntimeError):
    """The warehouse and the files do not belong together; the message names the file and says what to do."""


@dataclass(frozen=True)
class Migration:
    """One file: `0004_credibility_cases.sql` is number 4, name `credibility_cases`."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()[:16]


@cache
def load(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """All migrations in order. Raises MigrationError for a name without a number or a gap between numbers."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        number, _, name = path.stem.partition("_")
        if not number.isdigit() or int(number) != len(found) + 1 or not name:
            raise MigrationError(f"{path}: the next migration must be named {len(found) + 1:04d}_<what>.sql")
        found.append(Migration(int(number), name, path.read_text(encoding="utf-8")))
    return tuple(found)


def apply(connection: psycopg.Connection, migrations: tuple[Migration, ...] | None = None) -> list[int]:
    """Apply what has not been applied; returns the numbers. Safe to repeat and to call at the same time.

    Raises MigrationError when an applied file has changed since, or when the warehouse is newer than these files.
    """
    migrations = load() if migrations is None else migrations
    applied = []
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        connection.execute(_LEDGER)
        recorded = dict(connection.execute("select number, digest from ops.migration").fetchall())
        if unknown := sorted(set(recorded) - {m.number for m in migrations}):
            raise MigrationError(
                f"the warehouse has migration {unknown[-1]:04d}, which this version does not know: "
                "install the version that made it, or restore the backup from before the upgrade"
            )
        for migration in migrations:
            if migration.number not in recorded:
                connection.execute(migration.sql)
                connection.execute(
                    "insert into ops.migration (number, name, digest) values (%s, %s, %s)",
                    [migration.number, migration.name, migration.digest],
                )
                applied.append(migration.number)
            elif recorded[migration.number] != migration.digest:
                raise MigrationError(
                    f"migrations/{migration.number:04d}_{migration.name}.sql has changed since it was applied: "
                    "put its content back and write the change as another file"
                )
    return applied
