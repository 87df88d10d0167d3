select
    a.activity_id,
    {{ present_institution('a.inst_code') }} as inst_code,
    {{ key(present_institution('a.inst_code')) }} as institution_key,
    a.platform_id,
    platform.platform_key,
    platform.platform_kind_code,
    a.activity_kind as activity_kind_code,
    kind.name_zh as activity_kind_name,
    a.activity_on,
    {{ year_of('a.activity_on') }} as activity_year,
    {{ academic_year('a.activity_on') }} as academic_year,
    a.quantity,
    a.quantity_unit_code,
    unit.name_zh as quantity_unit_name,
    a.planned_quantity,
    a.amount as amount_cny,
    a.cluster_code,
    student_then.student_key,
    supervisor_then.supervisor_key,
    coalesce(a.is_urgent_layout, false) as is_urgent_layout,
    coalesce(platform.is_major_platform, false) as is_at_major_platform
from {{ source('accepted', 'platform_activity') }} as a
left join {{ ref('dim_platform') }} as platform on platform.platform_id = a.platform_id
{{ join_version_then('dim_student', 'a.student_id', 'a.activity_on') }}
{{ join_version_then('dim_supervisor', 'a.supervisor_id', 'a.activity_on') }}
{{ join_name('platform_activity_kind', 'a.activity_kind', 'kind') }}
{{ join_name('platform_quantity_unit', 'a.quantity_unit_code', 'unit') }}
