"""The accepted tables: the newest accepted version of every record that is not deleted.

`update` keeps a table in the transaction of the judgement; `rebuild` makes the same table from raw and quarantine alone.
A record whose newest version waits in quarantine keeps its last good version as long as that passes the rules too, unless
another record now holds its key.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import psycopg

from yuyan.domain import contracts
from yuyan.validate import statements
from yuyan.validate.work import Work
from yuyan.warehouse import ddl

MANY = 10_000
"""So many rows of a first load are worth making the indexes afterwards, for which nobody else may read the table."""


def rebuild(connection: psycopg.Connection, entity: str) -> int:
    """Make accepted.<entity> anew from the judged batches of raw.<entity> and quality.quarantine; returns its rows."""
    connection.execute(f"delete from accepted.{entity}")
    typed = ddl.typed_columns(contracts.load()[entity])
    return statements.run(
        connection, "rebuild_accepted", work=Work(entity), names=_names(entity), typed=typed
    ).rowcount


def update(connection: psycopg.Connection, work: Work) -> None:
    """Bring accepted.<entity> to the state that work table, tombstones (`newest`), quarantine and judged batches now say."""
    for name in ("accepted_deleted", "accepted_quarantined", "accepted_without_stand_in"):
        statements.run(connection, name, work=work)
    (is_filled,) = connection.execute(
        f"select exists (select 1 from accepted.{work.entity}) "
        f"or exists (select 1 from {work.judged} where not is_newest)"
    ).fetchone()
    (is_much,) = connection.execute(f"select exists (select from {work.judged} offset {MANY})").fetchone()
    with _without_indexes(connection, work.entity) if is_much and not is_filled else nullcontext():
        statements.run(connection, "accept", work=work, names=_names(work.entity), is_filled=is_filled)
    same_key = " and ".join(f"b.{n} = a.{n}" for n in contracts.load()[work.entity].key)
    statements.run(connection, "withdraw_taken_keys", work=work, same_key=same_key)


@contextmanager
def _without_indexes(connection: psycopg.Connection, entity: str) -> Iterator[None]:
    """The block fills the empty table; its indexes are made of all rows afterwards, in the same transaction."""
    connection.execute("select ops.leave_out_indexes(%s)", [entity])
    yield
    connection.execute("select ops.put_back_indexes(%s)", [entity])


def _names(entity: str) -> list[str]:
    return [f.name for f in contracts.load()[entity].columns]
