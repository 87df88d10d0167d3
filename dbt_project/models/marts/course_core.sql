with courses as (
    select c.*, y.end_on as period_end_on, least(y.end_on, {{ as_of() }}) as last_on
    from {{ ref('fct_core_course_year') }} as c
    inner join {{ ref('dim_academic_year') }} as y on y.academic_year = c.academic_year
    where c.is_core_1y
),

offered as (
    select academic_year, course_id, count(*) as offering_count, sum(enrolled_count) as enrolled_count
    from {{ ref('fct_course_offering') }}
    group by academic_year, course_id
),

points as (
    select course_id, count(distinct degree_point_id) as degree_point_count
    from {{ ref('bridge_course_degree_point') }}
    group by course_id
),

-- a dropped course needs no renewal any more
stated as (
    select
        c.*,
        case
            when c.is_dropped then 'DROPPED'
            when c.renewal_due_on <= c.last_on then 'OVERDUE'
            when c.renewal_due_on <= {{ add_days('c.last_on', 365) }} then 'AT-RISK'
            when c.last_renewed_term is null then 'NOT-DUE'
            else 'RENEWED'
        end as renewal_state_code
    from courses as c
)

select
    s.academic_year,
    s.period_end_on,
    {{ completeness('s.period_end_on') }},
    s.course_id,
    {{ label_zh('course.course_name') }} as course_name,
    s.inst_code,
    institution.inst_name,
    institution.inst_order,
    {{ code_or_none('s.unit_code') }} as unit_code,
    {{ label_zh('unit.unit_name') }} as unit_name_zh,
    s.core_from_on,
    s.core_to_on,
    s.last_renewed_term,
    {{ code_or_none('s.last_renewal_kind') }} as last_renewal_kind_code,
    {{ label_zh('kind.name_zh') }} as last_renewal_kind_zh,
    {{ label_en('kind.name_en') }} as last_renewal_kind_en,
    s.is_renewed_3y,
    s.is_renewed_5y,
    s.renewal_due_on,
    s.renewal_state_code,
    state.name_zh as renewal_state_zh,
    state.name_en as renewal_state_en,
    s.renewal_state_code = 'OVERDUE' as is_at_risk_of_elimination,
    cast(coalesce(points.degree_point_count, 0) as integer) as degree_point_count,
    cast(coalesce(offered.offering_count, 0) as integer) as offering_count,
    cast(coalesce(offered.enrolled_count, 0) as integer) as enrolled_count,
    {{ provenance_columns() }}
from stated as s
left join {{ ref('dim_course') }} as course on course.course_id = s.course_id
left join offered on offered.academic_year = s.academic_year and offered.course_id = s.course_id
left join points on points.course_id = s.course_id
left join {{ ref('dim_org_unit') }} as unit on unit.inst_code = s.inst_code and unit.unit_code = s.unit_code
{{ join_institution('s') }}
{{ join_name('revision_kind', 's.last_renewal_kind', 'kind') }}
{{ join_name('renewal_state', 's.renewal_state_code', 'state') }}
