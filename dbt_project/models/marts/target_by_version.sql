with judged as (
    select s.*, u.unit_name_zh, u.inst_code
    from {{ ref('ind_plan_status') }} as s
    inner join {{ ref('ind_unit') }} as u on u.grain = s.grain and u.unit_code = s.unit_code
    where s.grain in ('city', 'institution') and s.is_in_force
)

select
    i.indicator_code,
    v.variant_code,
    i.name_zh as indicator_zh,
    i.name_en as indicator_en,
    s.doc_version,
    plan.name_zh as doc_version_zh,
    plan.name_en as doc_version_en,
    s.doc_version = '{{ var("plan_doc_version") }}' as is_plan_in_force,
    v.grain,
    v.unit_code,
    s.unit_name_zh,
    s.inst_code,
    case when v.grain = 'city' then 0 else institution.inst_order end as inst_order,
    v.period_code,
    v.period_year,
    v.period_end_on,
    {{ completeness('v.period_end_on', ['v.variant_code', 'v.grain', 's.doc_version']) }},
    v.value,
    s.plan_target_value,
    s.target_value,
    s.path_value,
    {{ display('v.value', 'i.unit_zh', 'i.display_scale') }} as value_display,
    {{ display_target('s.target_op', 's.target_value', 's.plan_target_value', 'i.unit_zh', 'i.display_scale', 's.target_is_proposed') }} as target_display,
    {{ display('s.path_value', 'i.unit_zh', 'i.display_scale') }} as path_display,
    s.status_code as path_status_code,
    s.status_reason_code as path_reason_code,
    {{ provenance_columns() }}
from judged as s
inner join {{ ref('ind_value') }} as v
    on v.variant_code = s.variant_code
    and v.definition_version = s.definition_version
    and v.grain = s.grain
    and v.unit_code = s.unit_code
    and v.period_code = s.period_code
inner join {{ ref('indicator') }} as i
    on i.variant_code = v.variant_code and i.definition_version = v.definition_version and i.is_official
inner join {{ ref('plan_version') }} as plan on plan.doc_version = s.doc_version
{{ join_institution_of('s.inst_code') }}
