"""Root causes of what stands (quality.cause): failures that one remedy mends, grouped in the database.

In order: children of one parent that nobody reported, or that waits in quarantine (of a chain the topmost); rows with one
unknown code; a batch that fails as a whole; the rest by rule and institution. A whole batch is taken for the cause only
where that makes one group of several.
"""

import psycopg

from yuyan import settings
from yuyan.domain import contracts, macros, structural
from yuyan.domain.catalogue import Catalogue
from yuyan.domain.contracts import Contract, Reference
from yuyan.warehouse import ddl

WHOLE_BATCH_ROWS, WHOLE_BATCH_SHARE = 20, 0.9
"""A batch fails as a whole when so many of its rows of an entity, and this share of them, break one rule."""

WHY = """
create temp table why (
    failure_id bigint primary key, entity text, raw_id bigint, rule_id text, src_inst_code text, batch_id text,
    record_key text, kind text, about text, cause_entity text, cause_key text, cause_raw_id bigint, observed text
) on commit drop
"""
"""One row per standing failure. `about` tells the groups of one kind apart."""

CAUSES = """
create temp table cause on commit drop as
with grouped as (
    select left(md5(kind || '|' || about), 16) as cause_id, kind, min(cause_entity) as cause_entity,
           min(cause_key) as cause_key, min(cause_raw_id) as cause_raw_id, min(observed) as observed_value,
           case when kind = 'same_batch' then min(batch_id) end as batch_id,
           coalesce(min(src_inst_code) filter (where src_inst_code <> %(commission)s), %(commission)s) as src_inst_code,
           array_agg(distinct entity order by entity) as entities, array_agg(distinct rule_id order by rule_id) as rule_ids,
           count(distinct (entity, raw_id)) as failed_rows, min(record_key) as example_record_key
    from why group by kind, about
),
label as (
    select * from unnest(%(entities)s::text[], %(labels)s::text[], %(is_municipal)s::boolean[])
        as l (entity, label, is_municipal)
)
select g.cause_id, g.kind, g.entities, g.rule_ids, g.cause_entity, g.cause_key, g.batch_id, g.observed_value,
       g.failed_rows, g.example_record_key, coalesce(q.rule_ids, '{}') as cause_rule_ids,
       coalesce(q.src_inst_code, case when p.is_municipal then %(commission)s end, g.src_inst_code) as src_inst_code,
       case g.kind
           when 'parent_missing' then format('%%s“%%s”未报送、已删除或引用有误', p.label, g.cause_key)
           when 'parent_quarantined' then format('%%s“%%s”被隔离（%%s）', p.label, g.cause_key, of_parent.messages)
           when 'unknown_code' then format('未知代码“%%s”：%%s', g.observed_value, own.messages)
           when 'same_batch' then format('批次 %%s 的%%s整体不合格：%%s', g.batch_id, e.label, own.messages)
           else own.messages
       end || format('，涉及 %%s 条记录', g.failed_rows) as message
from grouped g
left join quality.quarantine q on q.entity = g.cause_entity and q.raw_id = g.cause_raw_id
left join label p on p.entity = g.cause_entity
left join label e on e.entity = g.entities[1]
cross join lateral (
    select string_agg(coalesce(r.message, i), '；' order by i) as messages
    from unnest(g.rule_ids) i left join quality.rule r on r.rule_id = i and r.is_current
) own
cross join lateral (
    select string_agg(coalesce(r.message, i), '；' order by i) as messages
    from unnest(q.rule_ids) i left join quality.rule r on r.rule_id = i and r.is_current
) of_parent
"""
"""`cause`, from `why`. Who must act: the parent's institution where it is known or must be the commission."""

OF_FAILURE = "f.failure_id, f.entity, f.raw_id, f.rule_id, f.src_inst_code, f.batch_id, f.record_key"
STANDS = "f.resolved_run_id is null"


def find(connection: psycopg.Connection, catalogue: Catalogue, run_id: str) -> int:
    """Group every standing failure by cause, note which causes are gone; returns how many stand. One transaction."""
    with connection.transaction():
        connection.execute(WHY)
        broken = {
            (entity, rule_id)
            for entity, rule_id in connection.execute(
                f"select distinct f.entity, f.rule_id from quality.row_failure f where {STANDS}"
            )
        }
        for entity in catalogue.order:  # parents first: a child takes over its parent's own cause
            contract = contracts.load()[entity]
            for reference in contract.references:
                if (entity, rule_id := structural.reference_id(contract, reference)) in broken:
                    _waiting(connection, contract, reference, rule_id)
            for field in contract.columns:
                if (entity, rule_id := f"QR.{entity}.{field.name}.4") in broken:
                    _unknown_codes(connection, rule_id, field)
        connection.execute(
            f"insert into why select {OF_FAILURE}, 'single', f.src_inst_code || '|' || f.rule_id "
            f"from quality.row_failure f where {STANDS} and not exists "
            "(select 1 from why w where w.failure_id = f.failure_id)"
        )
        _whole_batches(connection)
        return _record(connection, run_id)


def _waiting(connection: psycopg.Connection, contract: Contract, reference: Reference, rule_id: str) -> None:
    """Children without an accepted parent: it is missing, or in quarantine, perhaps for want of its own parent."""
    parent = contracts.load()[reference.entity]
    key = " || '|' || ".join(f"r.{name}" for name in reference.fields)
    is_held = " and ".join(
        f"a.{to} = {ddl.typed(contract[own])}"
        for own, to in zip(reference.fields, reference.to_fields, strict=True)
    )
    connection.execute(
        "with held as (select distinct on (p.record_key) p.record_key, q.raw_id from quality.quarantine q "
        f"join raw.{parent.entity} p on p.raw_id = q.raw_id where q.entity = %(parent)s and q.state = 'open' "
        "order by p.record_key, q.raw_id), root as (select distinct on (raw_id) * from why where entity = %(parent)s "
        "and kind like 'parent_%%' order by raw_id, kind, about) "
        f"insert into why select {OF_FAILURE}, coalesce(x.kind, case when h.raw_id is null then 'parent_missing' "
        f"else 'parent_quarantined' end), coalesce(x.about, %(parent)s || '|' || {key}), "
        f"coalesce(x.cause_entity, %(parent)s), coalesce(x.cause_key, {key}), "
        "case when x.raw_id is null then h.raw_id else x.cause_raw_id end "
        f"from quality.row_failure f join raw.{contract.entity} r on r.raw_id = f.raw_id "
        f"left join held h on h.record_key = {key} left join root x on x.raw_id = h.raw_id "
        f"where {STANDS} and f.rule_id = %(rule)s "
        f"and not exists (select 1 from accepted.{parent.entity} a where {is_held}) on conflict do nothing",
        {"parent": parent.entity, "rule": rule_id},
    )


def _unknown_codes(connection: psycopg.Connection, rule_id: str, field: contracts.Field) -> None:
    """Rows of an institution with one code that its code set does not have; of an array the first such item."""
    codes = macros.quote(sorted(contracts.code_sets()[field.code_set]))
    code = (
        f"(select min(i) from unnest(string_to_array(f.observed_value, ';')) i where i not in ({codes}))"
        if field.type == "array"
        else "f.observed_value"
    )
    connection.execute(
        f"insert into why select {OF_FAILURE}, 'unknown_code', concat_ws('|', f.src_inst_code, %(set)s::text, {code}), "
        f"null, null, null, {code} from quality.row_failure f where {STANDS} and f.rule_id = %(rule)s",
        {"set": field.code_set, "rule": rule_id},
    )


def _whole_batches(connection: psycopg.Connection) -> None:
    """One bad batch is one cause; a rule that whole batches break time and again is not about the batch."""
    connection.execute(
        "with whole as (select w.entity, w.batch_id, w.rule_id, w.src_inst_code, count(*) over (partition by w.rule_id, "
        "w.src_inst_code) as batches from why w join ops.batch b using (batch_id) "
        "group by w.entity, w.batch_id, w.rule_id, w.src_inst_code, b.rows_stored "
        "having count(*) >= greatest(%(rows)s, %(share)s * b.rows_stored) "
        "and (bool_or(w.kind = 'single') or count(distinct w.about) > 1)) "
        "update why w set kind = 'same_batch', about = w.entity || '|' || w.batch_id, cause_entity = null, "
        "cause_key = null, cause_raw_id = null, observed = null from whole x "
        "where x.batches = 1 and x.entity = w.entity and x.batch_id = w.batch_id and x.rule_id = w.rule_id",
        {"rows": WHOLE_BATCH_ROWS, "share": WHOLE_BATCH_SHARE},
    )


def _record(connection: psycopg.Connection, run_id: str) -> int:
    """Write quality.cause and quality.row_failure.cause_id from `why`; returns the causes that stand."""
    known = contracts.load().values()
    names = {
        "entities": [c.entity for c in known],
        "labels": [c.label for c in known],
        "is_municipal": [c.owner == "commission" for c in known],
        "commission": settings.COMMISSION,
        "run": run_id,
    }
    connection.execute(CAUSES, names)
    connection.execute(
        "update quality.row_failure f set cause_id = left(md5(w.kind || '|' || w.about), 16) from why w "
        "where w.failure_id = f.failure_id and f.cause_id is distinct from left(md5(w.kind || '|' || w.about), 16)"
    )
    columns = (
        "kind, src_inst_code, entities, rule_ids, cause_entity, cause_key, cause_rule_ids, batch_id, observed_value, "
        "failed_rows, example_record_key, message"
    )
    setters = ", ".join(f"{name} = excluded.{name}" for name in columns.split(", "))
    connection.execute(
        f"insert into quality.cause as c (cause_id, {columns}, since_run_id, last_run_id) "
        f"select cause_id, {columns}, %(run)s, %(run)s from cause on conflict (cause_id) do update set {setters}, "
        "since_run_id = case when c.resolved_run_id is null then c.since_run_id else excluded.since_run_id end, "
        "last_run_id = excluded.last_run_id, resolved_run_id = null",
        names,
    )
    connection.execute(
        "update quality.cause c set resolved_run_id = %(run)s where c.resolved_run_id is null "
        "and not exists (select 1 from cause n where n.cause_id = c.cause_id)",
        names,
    )
    return connection.execute("select count(*) from cause").fetchone()[0]
