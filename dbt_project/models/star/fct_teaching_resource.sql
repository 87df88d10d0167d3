select
    r.resource_id,
    r.inst_code,
    {{ key('r.inst_code') }} as institution_key,
    r.kind_code,
    kind.name_zh as kind_name,
    r.degree_point_id,
    degree_point.degree_point_key,
    r.co_dev_uscc as enterprise_uscc,
    {{ enterprise_key('r.co_dev_uscc') }} as enterprise_key,
    r.co_dev_uscc is not null as is_with_enterprise,
    r.completed_on,
    case when r.completed_on <= {{ as_of() }} then {{ year_of('r.completed_on') }} end as completed_year,
    r.list_project_id,
    r.is_digital,
    r.level_code,
    level.name_zh as level_name
from {{ source('accepted', 'teaching_resource') }} as r
left join {{ ref('dim_degree_point') }} as degree_point
    on degree_point.degree_point_id = r.degree_point_id and degree_point.is_current
{{ join_name('resource_kind', 'r.kind_code', 'kind') }}
{{ join_name('award_level', 'r.level_code', 'level') }}
