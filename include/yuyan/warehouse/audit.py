"""Views for an auditor over all entities: what was deleted and by whom, and why a row left quarantine."""

from dataclasses import dataclass

from yuyan.domain.contracts import load
from yuyan.warehouse import records

_DELETION = """
select '{entity}' as entity, r.src_inst_code, r.src_record_id, before.record_key, r.raw_id, r.as_of, r.batch_id, b.run_id,
    b.loaded_at, b.mode, case when r.row_no = 0 then 'missing' else 'source' end as reason, h.hold_id,
    {is_newest} as is_gone
from raw.{entity} r
left join ops.batch b on b.batch_id = r.batch_id
left join quality.hold h on h.state = 'applied' and h.src_inst_code = r.src_inst_code and h.entity = '{entity}'
    and r.batch_id = any(h.batch_ids)
left join lateral (
    select o.record_key from raw.{entity} o
    where o.src_inst_code = r.src_inst_code and o.src_record_id = r.src_record_id and not o.is_deleted
    and (o.source_version, o.raw_id) < (r.source_version, r.raw_id)
    order by o.source_version desc, o.raw_id desc limit 1
) before on true
where r.is_deleted
"""
_KEY_CHANGE = """
select k.entity, k.src_inst_code, k.src_record_id, k.old_key, null::bigint, b.as_of, k.batch_id, b.run_id,
    b.loaded_at, b.mode, 'key_change', null::bigint, true
from ops.key_change k
left join ops.batch b on b.batch_id = k.batch_id
"""
_DELETION_COMMENTS = {
    "record_key": "被删除记录的自然键；主键变更时为旧键",
    "raw_id": "原始层中的删除行；主键变更没有",
    "as_of": "采集的统计日期",
    "reason": "source 来源自己报告的删除；missing 完整清单中已没有，由装载方补记；key_change 来源更改了主键，旧键不再有效",
    "hold_id": "经暂缓认可后生效的，是哪一个暂缓（谁认可、为何，见 quality.hold）",
    "is_gone": "此后没有再来；false 为来源后来又报送了该记录",
}

_EXIT = """
select q.entity, q.src_inst_code, q.src_record_id, q.raw_id, q.rule_ids, q.since_run_id, b.run_id as left_run_id,
    case when by.is_deleted then 'deleted' else 'replaced' end as reason, by.raw_id as by_raw_id, by.batch_id as by_batch_id
from quality.quarantine q
join raw.{entity} r on r.raw_id = q.raw_id
left join lateral (
    select n.raw_id, n.batch_id, n.is_deleted from raw.{entity} n
    where n.src_inst_code = q.src_inst_code and n.src_record_id = q.src_record_id
    and (n.source_version, n.raw_id) > (r.source_version, r.raw_id)
    order by n.source_version, n.raw_id limit 1
) by on true
left join ops.batch b on b.batch_id = by.batch_id
where q.entity = '{entity}' and q.state = 'superseded'
"""
_RELEASE = """
select entity, src_inst_code, src_record_id, raw_id, rule_ids, since_run_id, released_run_id, reason, null::bigint, null
from quality.release
"""
_EXIT_COMMENTS = {
    "raw_id": "离开隔离区的版本行",
    "rule_ids": "它违反的规则；为空即未经判定就已被取代",
    "left_run_id": "离开的运行：重新判定的，或装入取代它的版本的",
    "reason": "healed 所查的其他记录变化后通过；rule_changed 规则变更后通过；override 因豁免放行；"
    "replaced 来源送来更新的版本；deleted 来源删除",
    "by_raw_id": "取代它的版本行",
    "by_batch_id": "取代它的版本所在的批次",
}


@dataclass(frozen=True)
class View:
    """A view with its comment and those of its columns that need one."""

    name: str
    query: str
    comment: str
    columns: dict[str, str]


def views() -> list[View]:
    """quality.deletion and quality.quarantine_exit: one branch per entity, all with the same columns."""
    deletions = [
        _DELETION.format(entity=entity, is_newest=records.is_newest("r", entity)) for entity in load()
    ]
    exits = [_EXIT.format(entity=entity) for entity in load()]
    return [
        View(
            "quality.deletion",
            " union all ".join([*deletions, _KEY_CHANGE]),
            "删除：每条被删除的记录、何时、哪个批次、由谁（来源报告、清单中没有、主键变更）",
            _DELETION_COMMENTS,
        ),
        View(
            "quality.quarantine_exit",
            " union all ".join([*exits, _RELEASE]),
            "离开隔离区的每一行及原因：重新判定通过（quality.release），或被来源的新版本取代",
            _EXIT_COMMENTS,
        ),
    ]
