"""Why a record counts otherwise than when the marts were last published: by what became of it in accepted.<entity>.

Both states are compared by the versions (`raw_id`) that they hold, so it does not matter how many judgements lie between.
"""

import psycopg

from yuyan.changes import previous
from yuyan.domain import contracts
from yuyan.warehouse import records

CAUSES = ("DEFINITION", "CORRECTION", "NEW", "DELETION", "QUARANTINE", "CALENDAR", "UNEXPLAINED")
"""In the order in which they are applied; a cause is known by its place (seed plan/change_cause.csv)."""
DEFINITION, CORRECTION, NEW, DELETION, QUARANTINE, CALENDAR, UNEXPLAINED = range(len(CAUSES))

_RECORDS = """
create temp table changed_record (
    entity text, src_inst_code text, src_record_id text, before_id bigint, after_id bigint, cause int
) on commit drop
"""
_COMPARE = """
insert into changed_record
with held as (
    select coalesce(p.raw_id, a.raw_id) as raw_id, a.raw_id is not null as is_after
    from (select raw_id from {kept} where {others}) as p
    full join (select raw_id from accepted.{entity} where {others}) as a on a.raw_id = p.raw_id
    where p.raw_id is null or a.raw_id is null
),
record as (
    select r.src_inst_code, r.src_record_id,
        max(h.raw_id) filter (where not h.is_after) as before_id, max(h.raw_id) filter (where h.is_after) as after_id
    from held as h inner join raw.{entity} as r on r.raw_id = h.raw_id
    group by 1, 2
)
select '{entity}', v.src_inst_code, v.src_record_id, v.before_id, v.after_id,
    case
        when v.after_id is null and newest.is_deleted then {deletion}
        when v.after_id is null or v.after_id < v.before_id then {quarantine}
        when exists (select from quality.release as q where q.entity = '{entity}' and q.raw_id = v.after_id)
            then {quarantine}
        when v.before_id is null then {new}
        else {correction}
    end
from record as v
cross join lateral (
    select r.is_deleted from raw.{entity} as r where {same_record} order by r.source_version desc, r.raw_id desc limit 1
) as newest
"""


def tables(connection: psycopg.Connection) -> dict[str, previous.Table]:
    """Entity -> what is kept of its accepted records: the version of each, and the key by which changes are noted."""
    followed = dict(connection.execute("select entity, column_name from ops.followed").fetchall())
    found = {}
    for entity in contracts.load():
        columns = ["raw_id", *([key] if (key := followed.get(entity)) else [])]
        found[entity] = previous.Table(f"accepted.{entity}", f"accepted_{entity}", tuple(columns))
    return found


def find(connection: psycopg.Connection) -> int:
    """Fill the temporary table changed_record for all entities; returns its rows.

    A record that a newer version or an override brought out of quarantine, or of which an older version stands in, is
    QUARANTINE like one that went into it.
    """
    connection.execute(_RECORDS)
    numbers = {
        "deletion": DELETION,
        "quarantine": QUARANTINE,
        "new": NEW,
        "correction": CORRECTION,
        "same_record": records.same_record("r", "v"),
    }
    for entity, table in tables(connection).items():
        others = previous.may_differ(connection, table)
        if others != previous.NONE:
            kept = previous.relation(connection, table)
            connection.execute(_COMPARE.format(entity=entity, kept=kept, others=others, **numbers))
    connection.execute("analyze changed_record")
    return connection.execute("select count(*) from changed_record").fetchone()[0]
