select
    m.milestone_id,
    item.list_item_key,
    m.list_item_id,
    m.doc_version,
    m.stage_code,
    stage.name_zh as stage_name,
    m.cycle_label,
    case when m.cycle_label ~ '^20[0-9][0-9]' then cast(substr(m.cycle_label, 1, 4) as integer) else {{ year_of('m.due_on') }} end as cycle_year,
    m.due_on,
    m.weight as weight_share,
    m.done_on,
    m.progress_pct / 100 as progress_share,
    coalesce(m.done_on <= {{ as_of() }}, false) as is_done,
    m.due_on < {{ as_of() }} and not coalesce(m.done_on <= {{ as_of() }}, false) as is_overdue,
    m.evidence_uri,
    m.reported_by,
    m.reported_on,
    m.verified_by,
    m.verified_on,
    m.opened_by_kind as opened_by_code,
    opened_by.name_zh as opened_by_name,
    m.opened_by_id,
    m.improvement_verified_on
from {{ source('accepted', 'list_milestone') }} as m
left join {{ ref('dim_list_item') }} as item on item.list_item_id = m.list_item_id and item.doc_version = m.doc_version
{{ join_name('list_stage', 'm.stage_code', 'stage') }}
{{ join_name('list_stage_opener', 'm.opened_by_kind', 'opened_by') }}
