select
    {{ key("'50000'", ['l.doc_version', 'l.list_item_id']) }} as list_item_key,
    l.list_item_id,
    l.doc_version,
    l.doc_version = max(l.doc_version) over () as is_latest_doc_version,
    l.list_kind as list_kind_code,
    list_kind.name_zh as list_kind_name,
    l.seq as seq_number,
    l.name as item_name,
    l.task_text,
    l.period_kind as period_kind_code,
    period_kind.name_zh as period_kind_name,
    l.due_month as due_month_number,
    l.due_on,
    l.qty_min as quantity_min,
    l.qty_max as quantity_max,
    l.qty_unit as quantity_unit,
    l.lead_dept,
    l.support_depts
from {{ source('accepted', 'list_item') }} as l
{{ join_name('list_kind', 'l.list_kind', 'list_kind') }}
{{ join_name('period_kind', 'l.period_kind', 'period_kind') }}
