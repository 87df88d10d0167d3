-- the items of every version of the plan, and who answers for them as the commission reported; versions that no plan has are not here
select
    {{ key("'50000'", ['i.doc_version', 'i.item_code']) }} as list_item_key,
    i.item_code as list_item_id,
    i.doc_version,
    i.doc_version = max(i.doc_version) over () as is_latest_doc_version,
    substr(i.item_code, 1, 1) as list_kind_code,
    list_kind.name_zh as list_kind_name,
    i.seq as seq_number,
    i.name_zh as item_name,
    i.content_zh as task_text,
    {{ period_kind('i.recurrence') }} as period_kind_code,
    period_kind.name_zh as period_kind_name,
    i.due_month as due_month_number,
    case when i.due_year is not null then {{ month_end('i.due_year', 'i.due_month') }} end as due_on,
    cast(i.quantity_min as integer) as quantity_min,
    cast(i.quantity_max as integer) as quantity_max,
    i.quantity_unit,
    reported.lead_dept,
    reported.support_depts
from {{ ref('action_item') }} as i
inner join {{ ref('plan_version') }} as v on v.doc_version = i.doc_version
left join {{ source('accepted', 'list_item') }} as reported
    on reported.list_item_id = i.item_code and reported.doc_version = i.doc_version
{{ join_name('list_kind', 'substr(i.item_code, 1, 1)', 'list_kind') }}
{{ join_name('period_kind', period_kind('i.recurrence'), 'period_kind') }}
