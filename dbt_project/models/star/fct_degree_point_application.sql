select
    a.application_id,
    {{ present_institution('a.inst_code') }} as inst_code,
    {{ key(present_institution('a.inst_code')) }} as institution_key,
    a.cycle_label,
    discipline.counted_discipline_code as discipline_code,
    a.discipline_code as reported_discipline_code,
    a.degree_level,
    a.degree_type,
    a.route_code,
    route.name_zh as route_name,
    a.plan_item_id,
    p.cycle_label as plan_cycle_label,
    p.filed_on as plan_filed_on,
    coalesce(p.cycle_label < a.cycle_label and p.filed_on < a.applied_on, false) as is_planned_before,
    a.applied_on,
    {{ year_of('a.applied_on') }} as applied_year,
    a.decided_on,
    a.result_code,
    result.name_zh as result_name,
    coalesce(a.result_code = '10' and a.decided_on <= {{ as_of() }}, false) as is_granted,
    a.degree_point_id,
    degree_point.degree_point_key
from {{ source('accepted', 'degree_point_application') }} as a
left join {{ ref('fct_construction_plan') }} as p
    on p.plan_item_id = a.plan_item_id and p.inst_code = {{ present_institution('a.inst_code') }}
    and p.reported_discipline_code = a.discipline_code and p.degree_level = a.degree_level
left join {{ ref('dim_discipline') }} as discipline on discipline.discipline_code = a.discipline_code
left join {{ ref('dim_degree_point') }} as degree_point
    on degree_point.degree_point_id = a.degree_point_id and degree_point.is_current
{{ join_name('point_application_route', 'a.route_code', 'route') }}
{{ join_name('point_application_result', 'a.result_code', 'result') }}
where a.applied_on <= {{ as_of() }}
