select
    p.list_project_id,
    item.list_item_key,
    p.list_item_id,
    p.cycle_year,
    p.inst_code,
    {{ key('p.inst_code') }} as institution_key,
    p.title as project_title,
    p.lead_supervisor_id,
    supervisor_then.supervisor_key,
    p.category_code,
    category.name_zh as category_name,
    p.discipline_code,
    p.amount as amount_cny,
    p.amount is not null as is_funded,
    p.approved_on,
    p.doc_no,
    p.co_uscc,
    {{ enterprise_key('p.co_uscc') }} as enterprise_key,
    p.is_school_enterprise,
    p.is_cross_discipline,
    p.is_multi_institution,
    p.is_digital,
    p.due_close_on,
    {{ year_of('p.due_close_on') }} as due_close_year,
    p.closed_on,
    coalesce(p.closed_on <= {{ as_of() }}, false) as is_closed,
    coalesce(p.closed_on <= p.due_close_on, false) as is_closed_on_time,
    p.due_close_on < {{ as_of() }} and p.closed_on is null as is_overdue,
    p.close_result_code,
    close_result.name_zh as close_result_name
from {{ source('accepted', 'list_project') }} as p
left join {{ ref('dim_list_item') }} as item on item.list_item_id = p.list_item_id and item.is_latest_doc_version
{{ join_version_then('dim_supervisor', 'p.lead_supervisor_id', 'p.approved_on') }}
{{ join_name('list_project_category', 'p.category_code', 'category') }}
{{ join_name('list_close_result', 'p.close_result_code', 'close_result') }}
