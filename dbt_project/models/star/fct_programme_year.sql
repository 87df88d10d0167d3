-- M08.2, M13.1: programmes whose present plan is in force at the end of a calendar year, and whether a professional one shares its
-- plan (version, length of study, least credits) with an academic one of the same college and level
with years as (
    select distinct calendar_year, least({{ make_date('calendar_year', 12, 31) }}, {{ as_of() }}) as last_on
    from {{ ref('dim_date') }}
    where calendar_year between 2020 and {{ this_year() }}
),

programmes as (
    select
        y.calendar_year,
        p.programme_key,
        p.programme_id,
        p.inst_code,
        p.institution_key,
        p.org_unit_key,
        p.degree_point_id,
        p.discipline_code,
        point.degree_level,
        point.degree_type,
        p.is_interdisciplinary,
        coalesce(p.is_licence_linked, false) as is_licence_linked,
        p.plan_version || '|' || p.duration_years || '|' || p.min_credits as plan
    from years as y
    inner join {{ ref('dim_programme') }} as p on p.plan_effective_on <= y.last_on
    left join {{ ref('dim_degree_point') }} as point on point.degree_point_id = p.degree_point_id and point.is_current
),

academic as (
    select calendar_year, org_unit_key, degree_level, array_agg(distinct plan) as plans
    from programmes
    where degree_type = '1'
    group by calendar_year, org_unit_key, degree_level
)

select
    p.calendar_year,
    p.programme_key,
    p.programme_id,
    p.inst_code,
    p.institution_key,
    p.degree_point_id,
    p.discipline_code,
    p.degree_level,
    p.degree_type,
    p.is_interdisciplinary,
    p.is_licence_linked,
    coalesce(p.degree_type = '2', false) and a.plans is not null as is_beside_academic,
    coalesce(p.degree_type = '2', false) and a.plans is not null and not coalesce(p.plan = any(a.plans), false) as is_plan_separate
from programmes as p
left join academic as a
    on a.calendar_year = p.calendar_year and a.org_unit_key = p.org_unit_key and a.degree_level = p.degree_level
