"""What a record, its newest version and an accepted version are, as SQL: one formula each, for every room that asks.

A record is (`src_inst_code`, `src_record_id`); raw.<entity> has all its versions; the newest one has the greatest
(`source_version`, `raw_id`), deleted or not.

    newest("student", "r.raw_id", "r.batch_id = 'b1'")
    ->  select distinct on (…) r.raw_id from raw.student as r where r.batch_id = 'b1' order by …
"""

RECORD = "src_inst_code, src_record_id"


def same_record(a: str, b: str) -> str:
    """Two aliases are versions of one record."""
    return f"{a}.src_inst_code = {b}.src_inst_code and {a}.src_record_id = {b}.src_record_id"


def newest(entity: str, columns: str, where: str = "true", joins: str = "") -> str:
    """A query of the newest version of every record, tombstones included, among the versions r that fulfil `where`."""
    return (
        f"select distinct on (r.src_inst_code, r.src_record_id) {columns} from raw.{entity} as r {joins} where {where} "
        "order by r.src_inst_code, r.src_record_id, r.source_version desc, r.raw_id desc"
    )


def is_newest(alias: str, entity: str) -> str:
    """A version has none after it: the same as `newest`, where a few versions are at hand and the index finds others."""
    return (
        f"not exists (select from raw.{entity} as newer where {same_record('newer', alias)} "
        f"and (newer.source_version, newer.raw_id) > ({alias}.source_version, {alias}.raw_id))"
    )


def was_accepted(alias: str, entity: str) -> str:
    """A version was judged and is not kept out: it was accepted at its time, whether or not it is still published.

    A last good version that stood down was accepted once; a tombstone is accepted with its batch.
    """
    return (
        f"exists (select from quality.judged as j where j.entity = '{entity}' and j.batch_id = {alias}.batch_id) "
        f"and not exists (select from quality.quarantine as q where q.entity = '{entity}' and q.raw_id = {alias}.raw_id "
        "and q.state <> 'stood_down')"
    )
