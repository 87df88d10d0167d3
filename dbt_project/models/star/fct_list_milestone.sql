select
    m.milestone_id,
    {{ key("'50000'", ['m.doc_version', 'm.list_item_id']) }} as list_item_key,
    m.list_item_id,
    m.doc_version,
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
    m.verified_on
from {{ source('accepted', 'list_milestone') }} as m
