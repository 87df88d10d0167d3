"""The accepted tables: the newest accepted version of every record that is not deleted.

`update` keeps a table in the transaction of the judgement; `rebuild` makes the same table from raw and quarantine alone.
A record whose newest version waits in quarantine keeps its last good version as long as that passes the rules too, unless
another record now holds its key.
"""

import psycopg

from yuyan.domain import contracts
from yuyan.validate.scope import RECORD, same_record
from yuyan.warehouse import ddl

META = "src_inst_code, src_record_id, raw_id, batch_id"


def rebuild(connection: psycopg.Connection, entity: str) -> int:
    """Make accepted.<entity> anew from the judged batches of raw.<entity> and quality.quarantine; returns its rows."""
    contract = contracts.load()[entity]
    connection.execute(f"delete from accepted.{entity}")
    connection.execute(
        f"insert into accepted.{entity} ({META}, {_names(entity)}) "
        f"select r.src_inst_code, r.src_record_id, r.raw_id, r.batch_id, {ddl.typed_columns(contract)} "
        f"from ({_good(entity, 'true')}) g join raw.{entity} r on r.raw_id = g.raw_id"
    )
    return connection.execute(f"select count(*) from accepted.{entity}").fetchone()[0]


def update(connection: psycopg.Connection, entity: str) -> None:
    """Bring accepted.<entity> to the state that the work table and quality.quarantine now say.

    Expects `newest_<entity>` (for tombstones), `judging.<entity>`, quarantine and judged batches as they now are.
    """
    names = _names(entity)
    connection.execute(
        f"delete from accepted.{entity} a using newest_{entity} n where n.is_deleted and {same_record('n', 'a')}"
    )
    connection.execute(
        f"delete from accepted.{entity} a using judging.{entity} w, quality.quarantine q where {same_record('w', 'a')} "
        f"and w.raw_id = a.raw_id and q.entity = '{entity}' and q.raw_id = a.raw_id"
    )
    connection.execute(  # no stand-in is left: the record was deleted before its newest version came
        f"delete from accepted.{entity} a using judging.{entity} w, quality.quarantine q where {same_record('w', 'a')} "
        f"and w.is_newest and {_open(entity)} and q.raw_id = w.raw_id "
        f"and not exists (select 1 from judging.{entity} x where {same_record('x', 'a')} and x.raw_id = a.raw_id)"
    )
    sound = (
        f"{META}, {names} from judging.{entity} w where not exists (select 1 from quality.quarantine q "
        f"where q.entity = '{entity}' and q.raw_id = w.raw_id)"
    )
    accept = f"insert into accepted.{entity} as a ({META}, {names}) "
    (is_filled,) = connection.execute(
        f"select exists (select 1 from accepted.{entity}) or exists (select 1 from judging.{entity} where not is_newest)"
    ).fetchone()
    if is_filled:
        setters = ", ".join(f"{n} = excluded.{n}" for n in ["raw_id", "batch_id", *names.split(", ")])
        accept += (
            f"select distinct on ({RECORD}) {sound} order by {RECORD}, is_newest desc "
            f"on conflict ({RECORD}) do update set {setters} where a.raw_id <> excluded.raw_id"
        )
    else:  # the first load: every record is there once, and inserting takes half the time
        accept += f"select {sound}"
    connection.execute(accept)
    _withdraw_taken_keys(connection, entity)


def _withdraw_taken_keys(connection: psycopg.Connection, entity: str) -> None:
    """Last good versions of records in quarantine whose key a newest version holds, or a later last good one."""
    same_key = " and ".join(f"b.{n} = a.{n}" for n in contracts.load()[entity].key)
    waits = f"select 1 from quality.quarantine q where {_open(entity)} and {same_record('q', 'b')}"
    connection.execute(
        f"delete from accepted.{entity} a using quality.quarantine q where {_open(entity)} and {same_record('q', 'a')} "
        f"and exists (select 1 from accepted.{entity} b where {same_key} and b.raw_id <> a.raw_id "
        f"and (b.raw_id > a.raw_id or not exists ({waits})))"
    )


def _open(entity: str) -> str:
    return f"q.entity = '{entity}' and q.state = 'open'"


def _good(entity: str, where: str) -> str:
    """SQL: raw_id of the version that stands for each record; of several with one key a newest one, then the last."""
    return (
        f"select distinct on (record_key) raw_id from (select distinct on (r.src_inst_code, r.src_record_id) "
        f"r.raw_id, r.record_key, r.is_deleted, "
        f"not exists (select 1 from quality.quarantine q where {_open(entity)} and {same_record('q', 'r')}) as is_newest "
        f"from raw.{entity} r join quality.judged j on j.entity = '{entity}' and j.batch_id = r.batch_id "
        f"where {where} and not exists ("
        f"select 1 from quality.quarantine q where q.entity = '{entity}' and q.raw_id = r.raw_id "
        f"and q.state <> 'stood_down') "
        f"order by r.src_inst_code, r.src_record_id, r.source_version desc, r.raw_id desc) v where not is_deleted "
        f"and not exists (select 1 from quality.quarantine q where q.entity = '{entity}' and q.raw_id = v.raw_id "
        f"and not is_newest) "
        "order by record_key, is_newest desc, raw_id desc"
    )


def _names(entity: str) -> str:
    return ", ".join(f.name for f in contracts.load()[entity].columns)
