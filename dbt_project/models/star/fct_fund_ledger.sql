select
    l.entry_id,
    l.inst_code,
    {{ key('l.inst_code') }} as institution_key,
    l.unit_code,
    {{ key('l.inst_code', 'l.unit_code') }} as org_unit_key,
    l.degree_point_id,
    degree_point.degree_point_key,
    degree_point.degree_level,
    degree_point.degree_type,
    degree_point.discipline_code,
    l.fiscal_year,
    l.posted_on,
    l.direction as direction_code,
    direction.name_zh as direction_name,
    l.fund_source_code,
    fund_source.name_zh as fund_source_name,
    l.fund_source_code in ('01', '05', '07') as is_fiscal_source,
    l.purpose_code,
    purpose.name_zh as purpose_name,
    l.amount as amount_cny,
    l.list_project_id,
    l.is_performance_funded,
    l.direction = 'IN' and l.fund_source_code in ('01', '07') and l.list_project_id is null as is_allocable
from {{ source('accepted', 'fund_ledger') }} as l
left join {{ ref('dim_degree_point') }} as degree_point
    on degree_point.degree_point_id = l.degree_point_id and degree_point.is_current
{{ join_name('fund_direction', 'l.direction', 'direction') }}
{{ join_name('fund_source', 'l.fund_source_code', 'fund_source') }}
{{ join_name('fund_purpose', 'l.purpose_code', 'purpose') }}
