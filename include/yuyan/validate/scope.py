"""Which rows a run judges: newest versions not judged yet, open quarantine, and accepted rows that a change may affect.

Works in temporary tables of the caller's connection: `newest_<entity>` (newest version of every record with a version
that is not judged under the present rules; tombstones included) and `scope_<entity>` (the rows to judge).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import psycopg

from yuyan.domain import contracts, macros
from yuyan.domain.catalogue import Catalogue, Lookup
from yuyan.domain.contracts import Contract
from yuyan.validate import standing, worktable
from yuyan.warehouse import ddl

KEY_BYTES = 500
"""Bytes of a text that records are looked up by: five of them fit into an entry of an index (some 2,700 bytes)."""
RECORD = "src_inst_code, src_record_id"
OVERRIDDEN = (
    "select f.raw_id from quality.row_failure f where f.entity = %(entity)s and f.resolved_run_id is null "
    "and f.override_id is not null and f.last_run_id <> %(run)s"
)
"""Failing rows that an override let pass: judged again in every run, like those in quarantine."""


@dataclass(frozen=True)
class Arrivals:
    """Batches of one entity that this run settles, under the rules of this digest. `fresh` were never judged.

    `is_whole`: every record is judged, since its verdicts under these rules are not there yet.
    """

    rule_set: str
    unjudged: list[str]
    fresh: list[str]
    is_whole: bool


def same_record(a: str, b: str) -> str:
    """SQL: two aliases are versions of one record."""
    return f"{a}.src_inst_code = {b}.src_inst_code and {a}.src_record_id = {b}.src_record_id"


def typed_list(contract: Contract, names: tuple[str, ...] | list[str], alias: str) -> str:
    """Typed expressions of raw columns, separated by commas."""
    return ", ".join(ddl.typed(contract[n], alias) for n in names)


def arrive(
    connection: psycopg.Connection, catalogue: Catalogue, entity: str, run_id: str, as_of: date
) -> Arrivals:
    """Find what is not judged yet, note what it replaces, and note which accepted rows it may affect."""
    rule_set = catalogue.digest(entity, as_of)
    is_whole = not standing.is_kept(connection, entity, rule_set)
    rows = connection.execute(
        "select b.batch_id, j.batch_id is null from ops.batch b left join quality.judged j "
        "on j.entity = b.entity and j.batch_id = b.batch_id where b.entity = %s and (%s or j.rule_set is distinct from %s)",
        [entity, is_whole, rule_set],
    ).fetchall()
    arrivals = Arrivals(rule_set, [b for b, _ in rows], [b for b, is_fresh in rows if is_fresh], is_whole)
    if not is_whole:
        _note_passage_of_time(connection, catalogue, entity, as_of)
    if not arrivals.unjudged:
        return arrivals
    connection.execute(
        f"create temp table newest_{entity} as select distinct on ({RECORD}) {RECORD}, raw_id, record_key, is_deleted "
        f"from raw.{entity} r where {_touched(connection, entity, arrivals.unjudged)} "
        f"order by {RECORD}, source_version desc, raw_id desc",
        {"batches": arrivals.unjudged},
    )
    _index(connection, f"newest_{entity}")
    if arrivals.fresh:
        _replace(connection, entity, run_id, arrivals.fresh)
        for lookup in catalogue.dependents(entity, "latest"):
            _note_affected(connection, lookup, arrivals.fresh)
    return arrivals


def _note_passage_of_time(
    connection: psycopg.Connection, catalogue: Catalogue, entity: str, as_of: date
) -> None:
    """Accepted rows that a rule about the run's date judges otherwise than on the day of the last judgement.

    A rule may also ask for what accepted rows do not have (newest versions, text as received). Where only its eligibility
    depends on the day, the rows are noted whose eligibility has changed; otherwise all of them are judged again.
    """
    last = connection.execute("select as_of from quality.last_judged where entity = %s", [entity]).fetchone()
    if last is None or last[0] == as_of:
        return
    changed = []
    for i, rule in enumerate(catalogue.rules[entity], start=1):
        if "{as_of}" not in rule.definition:
            continue
        if _is_plain(rule.definition):
            changed.append(f"{worktable.verdict(entity, rule, as_of)} is distinct from s.v{i}")
        elif rule.when and _is_plain(rule.when) and "{as_of}" not in rule.assert_:
            now, then = (macros.expand(rule.when, day, {}) for day in (as_of, last[0]))
            changed.append(f"({now}) is distinct from ({then})")
        else:
            changed.append("true")
    if changed:
        connection.execute(
            f"insert into judging.pending select %s, r.raw_id from accepted.{entity} r "
            f"join judging.standing_{entity} s on s.raw_id = r.raw_id where {' or '.join(changed)} on conflict do nothing",
            [entity],
        )


def _is_plain(text: str) -> bool:
    """Whether a rule's text can be judged on accepted rows."""
    return not {"latest", "raw"} & {name for name, _ in macros.MACRO.findall(text)}


def is_idle(connection: psycopg.Connection, entity: str, run_id: str) -> bool:
    """Nothing arrived (the caller knows), waits in quarantine, passed by an override or is noted for another judgement."""
    return connection.execute(
        "select not exists (select 1 from judging.pending where entity = %(entity)s) and not exists (select 1 from "
        "quality.quarantine where entity = %(entity)s and state = 'open' and last_run_id <> %(run)s) "
        f"and not exists ({OVERRIDDEN})",
        {"entity": entity, "run": run_id},
    ).fetchone()[0]


def select(
    connection: psycopg.Connection, entity: str, run_id: str, only: Sequence[int] | None = None
) -> None:
    """Fill `scope_<entity>` with the rows to judge, or with those `only` of them (raw_id).

    Rows in quarantine that this run has judged already stay out, so that repeating a run judges nothing twice. A
    record can be there twice: its newest version (`is_newest`), and the last good one that would stand in for it.
    """
    connection.execute(f"drop table if exists scope_{entity}, taken_{entity}")
    connection.execute(
        f"create temp table if not exists newest_{entity} (src_inst_code text, src_record_id text, raw_id bigint, "
        "record_key text, is_deleted boolean)"
    )
    connection.execute(
        f"create temp table scope_{entity} as select {RECORD}, raw_id, record_key, true as is_newest "
        f"from newest_{entity} where not is_deleted"
    )
    waits = (
        f"quality.quarantine q where q.entity = %(entity)s and q.state = 'open' and {same_record('q', 'r')}"
    )
    for source, is_newest in (
        (
            "quality.quarantine q on q.raw_id = r.raw_id and q.entity = %(entity)s and q.state = 'open' "
            "and q.last_run_id <> %(run)s",
            "true",
        ),
        (
            f"(select raw_id from judging.pending where entity = %(entity)s union {OVERRIDDEN}) p on p.raw_id = r.raw_id "
            f"join accepted.{entity} a on {same_record('a', 'r')} and a.raw_id = r.raw_id",
            f"not exists (select 1 from {waits})",
        ),
    ):
        connection.execute(
            f"insert into scope_{entity} select r.src_inst_code, r.src_record_id, r.raw_id, r.record_key, {is_newest} "
            f"from raw.{entity} r join {source} "
            f"where not exists (select 1 from newest_{entity} n where {same_record('n', 'r')})",
            {"entity": entity, "run": run_id},
        )
    _index(connection, f"scope_{entity}")
    _add_stand_ins(connection, entity)
    if only is not None:
        connection.execute(f"delete from scope_{entity} where raw_id <> all(%s)", [list(only)])


def _index(connection: psycopg.Connection, table: str) -> None:
    """Records are found in the temporary table by an index, so that no plan compares all of two tables with each other."""
    connection.execute(f"create index on {table} ({RECORD})")
    connection.execute(f"analyze {table}")


def _add_stand_ins(connection: psycopg.Connection, entity: str) -> None:
    """The last good version before each newest one in scope: the newest that was judged and accepted at its time.

    It is published while the newest waits in quarantine, so it answers to the same rules on the same day. One that fails
    stands down (`quality.quarantine`) until it passes; none older takes its place. A tombstone leaves nothing to publish.
    """
    if not connection.execute(
        "select exists (select 1 from quality.judged where entity = %s)", [entity]
    ).fetchone()[0]:
        return
    connection.execute(
        f"insert into scope_{entity} select src_inst_code, src_record_id, raw_id, record_key, false from ("
        "select distinct on (r.src_inst_code, r.src_record_id) r.src_inst_code, r.src_record_id, r.raw_id, r.record_key, "
        f"r.is_deleted from scope_{entity} s join raw.{entity} r on {same_record('r', 's')} and r.raw_id <> s.raw_id "
        "left join quality.judged j on j.entity = %(entity)s and j.batch_id = r.batch_id "
        "where s.is_newest and (j.batch_id is not null or r.is_deleted) and not exists (select 1 from quality.quarantine q "
        "where q.entity = %(entity)s and q.raw_id = r.raw_id and q.state <> 'stood_down') "
        "order by r.src_inst_code, r.src_record_id, r.source_version desc, r.raw_id desc) v "
        f"where not is_deleted and not exists (select 1 from scope_{entity} s where s.raw_id = v.raw_id)",
        {"entity": entity},
    )


def find_taken_keys(connection: psycopg.Connection, entity: str) -> None:
    """Fill `taken_<entity>` (raw_id) with the rows in scope whose natural key another record holds.

    Holders are all newest versions that are not deleted: those in scope, those accepted earlier, those still in
    quarantine. Of several, the one with the smallest src_record_id (then src_inst_code) in text order keeps the key.
    A stand-in holds nothing: it gives way to whoever has its key (`accepted.update`).
    """
    contract = contracts.load()[entity]
    same_key = " and ".join(f"o.{n} = {ddl.typed(contract[n], 'r')}" for n in contract.key)
    holder = "src_record_id || e'\\x01' || src_inst_code collate \"C\""
    connection.execute(
        f"create temp table taken_{entity} as with holder as ("
        f" select record_key, {holder} as id from scope_{entity} where is_newest and record_key is not null"
        f" union select r.record_key, o.src_record_id || e'\\x01' || o.src_inst_code from scope_{entity} s"
        f" join raw.{entity} r on r.raw_id = s.raw_id join accepted.{entity} o on {same_key}"
        f" where not exists (select 1 from scope_{entity} x where {same_record('x', 'o')})"
        f" and not exists (select 1 from newest_{entity} x where {same_record('x', 'o')})"
        f" and not exists (select 1 from quality.quarantine x where x.entity = %(entity)s and x.state = 'open'"
        f" and {same_record('x', 'o')})"
        f" union select r.record_key, r.src_record_id || e'\\x01' || r.src_inst_code from quality.quarantine q"
        f" join raw.{entity} r on r.raw_id = q.raw_id where q.entity = %(entity)s and q.state = 'open'"
        f" and r.record_key is not null"
        f"), keeper as (select record_key, min(id) as id from holder group by record_key having count(*) > 1)"
        f" select s.raw_id from scope_{entity} s join keeper using (record_key)"
        f" where s.is_newest and s.{holder} <> keeper.id",
        {"entity": entity},
    )


def find_latest(connection: psycopg.Connection, catalogue: Catalogue, entity: str) -> None:
    """Fill `latest_<parent>` with the newest versions that the rules of `entity` look up for the rows in scope.

    A version whose key is far longer than any contract allows is nobody's parent: it breaks the length rule of its own.
    """
    contract = contracts.load()[entity]
    wanted: dict[str, list[Lookup]] = {}
    for lookup in catalogue.lookups:
        if lookup.child == entity and lookup.kind == "latest" and not lookup.is_key:
            wanted.setdefault(lookup.parent, []).append(lookup)
    for parent, lookups in wanted.items():
        other = contracts.load()[parent]
        names = sorted(frozenset().union(*(x.used for x in lookups)))
        columns = ", ".join(f"{ddl.typed(other[n], 'v')} as {n}" for n in names)
        asked = " or ".join(
            f"({typed_list(other, x.to_fields, 'v')}) in (select {typed_list(contract, x.own_fields, 'r')} "
            f"from raw.{entity} r join scope_{entity} s on s.raw_id = r.raw_id)"
            for x in lookups
        )
        texts = {n for x in lookups for n in x.to_fields if other[n].type == "string"}
        short = "".join(f" and coalesce(octet_length(v.{n}), 0) <= {KEY_BYTES}" for n in sorted(texts))
        connection.execute(f"drop table if exists latest_{parent}")
        connection.execute(
            f"create temp table latest_{parent} as select v.src_inst_code, v.src_record_id, {columns} from raw.{parent} v "
            f"where not v.is_deleted and ({asked}){short} and not exists (select 1 from raw.{parent} n "
            f"where {same_record('n', 'v')} and (n.source_version, n.raw_id) > (v.source_version, v.raw_id))"
        )
        for to_fields in {x.to_fields for x in lookups}:
            connection.execute(f"create index on latest_{parent} ({', '.join(to_fields)})")
        connection.execute(f"analyze latest_{parent}")


def _touched(connection: psycopg.Connection, entity: str, batches: list[str]) -> str:
    """SQL condition on raw rows r: a version of a record with a version in these batches."""
    total = connection.execute("select count(*) from ops.batch where entity = %s", [entity]).fetchone()[0]
    if batches and len(batches) == total:  # the first load, or new rules: every record
        return "true"
    return f"({RECORD}) in (select {RECORD} from raw.{entity} where batch_id = any(%(batches)s))"


def _replace(connection: psycopg.Connection, entity: str, run_id: str, fresh: list[str]) -> None:
    """Rows in quarantine that a newer version replaced are superseded; so are versions replaced before any judgement."""
    connection.execute(
        f"update quality.quarantine q set state = 'superseded' from newest_{entity} n where q.entity = %s "
        f"and q.state = 'open' and {same_record('n', 'q')} and n.raw_id <> q.raw_id",
        [entity],
    )
    connection.execute(
        "insert into quality.quarantine (entity, raw_id, src_inst_code, src_record_id, batch_id, rule_ids, state, "
        "since_run_id, last_run_id) select %(entity)s, r.raw_id, r.src_inst_code, r.src_record_id, r.batch_id, '{}', "
        f"'superseded', %(run)s, %(run)s from raw.{entity} r join newest_{entity} n on {same_record('n', 'r')} "
        "where r.batch_id = any(%(fresh)s) and r.raw_id <> n.raw_id and not r.is_deleted on conflict do nothing",
        {"entity": entity, "run": run_id, "fresh": fresh},
    )


def _note_affected(connection: psycopg.Connection, lookup: Lookup, fresh: list[str]) -> None:
    """Accepted rows whose rules look at a record that has just got a new version, by its old or its new values."""
    if not connection.execute(f"select exists (select 1 from accepted.{lookup.child})").fetchone()[0]:
        return
    parent = contracts.load()[lookup.parent]
    own = ", ".join(f"c.{n}" for n in lookup.own_fields)
    connection.execute(
        f"insert into judging.pending select %(child)s, c.raw_id from accepted.{lookup.child} c where ({own}) in ("
        f"select {typed_list(parent, lookup.to_fields, 'r')} from raw.{lookup.parent} r where ({RECORD}) in "
        f"(select {RECORD} from raw.{lookup.parent} where batch_id = any(%(fresh)s))) on conflict do nothing",
        {"child": lookup.child, "fresh": fresh},
    )
