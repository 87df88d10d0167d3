"""What stands: the verdicts of every live newest version, kept from run to run; the suites run on it.

`judging.standing_<entity>`: src_inst_code, src_record_id, raw_id, `v1`…`vN` and `worst`, as in the work table. Its comment
is the digest of the rules it was judged under; a table without that digest, or an empty one, is made anew from a judgement
of every record. The tables survive a crash of the server, since that is not the same: a rule that compares a version with
what was accepted before it finds another answer once the version is accepted itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from yuyan.validate import statements
from yuyan.validate.work import Work


def is_kept(connection: psycopg.Connection, entity: str, rule_set: str) -> bool:
    """Whether the entity's verdicts under these rules are there."""
    table = f"judging.standing_{entity}"
    (digest,) = connection.execute("select obj_description(to_regclass(%s), 'pg_class')", [table]).fetchone()
    return digest == rule_set and connection.execute(f"select exists (select 1 from {table})").fetchone()[0]


def show_nothing(connection: psycopg.Connection) -> None:
    """Make the view `judging.judged`, on which the suites run, before any entity is judged: they look for it then."""
    _show(connection, "select null::text as src_inst_code")


@contextmanager
def shown(connection: psycopg.Connection, work: Work) -> Iterator[None]:
    """While the block runs the view shows what stands of this entity: of one at a time."""
    _show(connection, f"select * from {work.standing}")
    try:
        yield
    finally:
        if not connection.closed:
            show_nothing(connection)


def _show(connection: psycopg.Connection, query: str) -> None:
    with connection.transaction():
        connection.execute("drop view if exists judging.judged")
        connection.execute(f"create view judging.judged as {query}")


def merge(connection: psycopg.Connection, work: Work, verdicts: int, is_whole: bool) -> None:
    """Put the verdicts of the work table in the place of what stood for its records, or of all; deleted records go."""
    names = ", ".join(
        ["src_inst_code", "src_record_id", "raw_id", *(f"v{i}" for i in range(1, verdicts + 1)), "worst"]
    )
    judged = f"select {names} from {work.judged} where is_newest"
    if is_whole:
        connection.execute(f"drop table if exists {work.standing}")
        connection.execute(f"create table {work.standing} as {judged}")
    else:
        connection.execute(f"alter table {work.standing} set logged")  # one of an older build is not
        statements.run(connection, "standing_gone", work=work)
        connection.execute(f"insert into {work.standing} ({names}) {judged}")


def confirm(connection: psycopg.Connection, entity: str, rule_set: str) -> None:
    """Note the rules that the table was judged under; part of the transaction that records the judgement."""
    table, digest = sql.Identifier("judging", f"standing_{entity}"), sql.Literal(rule_set)
    connection.execute(sql.SQL("comment on table {} is {}").format(table, digest))
