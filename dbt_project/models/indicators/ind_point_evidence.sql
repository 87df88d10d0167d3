-- What each component of the scores of degree points is counted from, as the registry (seed point_component) says.
{% set first_year = var('monitor_first_year') - 3 -%}
with points as (
    select degree_point_id, inst_code, degree_level, degree_type, discipline_code
    from {{ ref('dim_degree_point') }}
    where is_current
),

years as (
    select distinct
        calendar_year as evidence_year,
        {{ make_date('calendar_year', 1, 1) }} as start_on,
        {{ make_date('calendar_year', 9, 30) }} as census_on,
        {{ make_date('calendar_year', 12, 31) }} as end_on
    from {{ ref('dim_date') }}
    where calendar_year between {{ first_year }} and {{ this_year() }}
),

-- variants of the registry that are counted by degree point
of_indicators as (
    select
        c.component_code, v.unit_code as degree_point_id, v.period_year as evidence_year, v.period_end_on as end_on,
        v.numerator, v.denominator, v.numerator as squares
    from {{ ref('point_component') }} as c
    inner join {{ ref('indicator') }} as i on i.variant_code = c.variant_code and i.is_official
    inner join {{ ref('ind_value') }} as v
        on v.variant_code = i.variant_code and v.definition_version = i.definition_version and v.grain = 'degree_point'
),

scopes as (
    select y.evidence_year, y.census_on, p.degree_point_id, d.discipline_code, d.key_cluster_strength
    from years as y
    cross join points as p
    inner join {{ ref('dim_discipline') }} as d on d.discipline_code = p.discipline_code and not d.is_h02_excluded
),

map_strength as (
    select
        'fit_map' as component_code, degree_point_id, evidence_year, census_on as end_on,
        key_cluster_strength as numerator, 1 as denominator, key_cluster_strength as squares
    from scopes
),

-- a cluster whose share of demand reaches its share of supply is covered; one that nobody graduates for cannot be saturated
saturation as (
    select award_year, cluster_code, least(1, demand_share / nullif(supply_share, 0)) as covered_share
    from {{ ref('fct_cluster_overlap') }}
    where is_of_city
),

disciplines_clusters as (
    select discipline_code, cluster_code, strength / sum(strength) over (partition by discipline_code) as part
    from {{ ref('bridge_key_cluster') }}
),

discipline_demand as (
    select y.award_year, c.discipline_code, sum(c.part * coalesce(s.covered_share, 1)) as covered_share
    from (select distinct award_year from saturation) as y
    cross join disciplines_clusters as c
    left join saturation as s on s.award_year = y.award_year and s.cluster_code = c.cluster_code
    group by y.award_year, c.discipline_code
),

demand as (
    select
        'fit_demand' as component_code, s.degree_point_id, s.evidence_year, y.end_on,
        coalesce(d.covered_share, 0) as numerator, 1 as denominator, coalesce(d.covered_share, 0) as squares
    from scopes as s
    inner join years as y on y.evidence_year = s.evidence_year
    left join discipline_demand as d on d.award_year = s.evidence_year and d.discipline_code = s.discipline_code
    where s.evidence_year in (select award_year from saturation)
),

destinations as (
    select
        degree_point_id, grad_year as evidence_year, {{ make_date('grad_year', 12, 31) }} as end_on, count(*) as employed,
        count(*) filter (where is_cluster_matched) as matched,
        count(*) filter (where is_key_post and is_employer_in_key_cluster) as in_key_post
    from {{ ref('fct_employment') }}
    where point_code = 'EP2' and is_employed and degree_point_id is not null
    group by degree_point_id, grad_year
),

-- a supervisor of several degree points counts in part for each
staff as (
    select
        y.evidence_year, y.end_on, a.supervisor_id, a.degree_point_id,
        1.0 / count(*) over (partition by y.evidence_year, a.supervisor_id) as part
    from years as y
    inner join (
        select supervisor_id, degree_point_id, min(from_on) as from_on, max(coalesce(to_on, '9999-12-31')) as to_on
        from {{ ref('fct_supervisor_appointment') }}
        where role_code = '10' and degree_point_id is not null
        group by supervisor_id, degree_point_id
    ) as a on least(y.end_on, {{ as_of() }}) between a.from_on and a.to_on
),

staffed as (
    select evidence_year, end_on, degree_point_id, sum(part) as supervisors
    from staff
    group by evidence_year, end_on, degree_point_id
),

contracts as (
    select signed_year as evidence_year, contract_no_digest, min(project_id) as project_id
    from {{ ref('fct_commissioned_project') }}
    where fund_source_code = '10' and client_kind in ('10', '20') and signed_on <= {{ as_of() }}
    group by signed_year, contract_no_digest
),

commissions as (
    select component_code, evidence_year, degree_point_id, sum(amount) as amount, sum(amount * amount) as squares
    from (
        select 'con_contract' as component_code, c.evidence_year, b.degree_point_id, b.weight_share as amount
        from contracts as c
        inner join {{ ref('bridge_project_degree_point') }} as b on b.project_id = c.project_id
        union all
        select 'con_receipt', r.received_year, b.degree_point_id, r.net_amount_cny * b.weight_share
        from {{ ref('fct_commissioned_receipt') }} as r
        inner join {{ ref('bridge_project_degree_point') }} as b on b.project_id = r.project_id
        where r.fund_source_code = '10' and r.client_kind in ('10', '20') and r.received_on <= {{ as_of() }}
    ) as parts
    group by component_code, evidence_year, degree_point_id
),

commissioned as (
    select c.component_code, s.degree_point_id, s.evidence_year, s.end_on,
        coalesce(m.amount, 0) as numerator, s.supervisors as denominator, coalesce(m.squares, 0) as squares
    from staffed as s
    cross join (values ('con_contract'), ('con_receipt')) as c (component_code)
    left join commissions as m
        on m.component_code = c.component_code and m.evidence_year = s.evidence_year and m.degree_point_id = s.degree_point_id
),

-- a census has each student once; few are at a platform
counted as (
    select
        census_year, census_on, degree_point_id,
        count(*) as students,
        count(*) filter (where special_programme_code not in ('00', '04')) as in_programme
    from {{ ref('fct_enrolment_census') }}
    where census_year >= {{ first_year }}
    group by census_year, census_on, degree_point_id
),

placed as (
    select e.census_on, e.degree_point_id, count(*) as at_platform
    from {{ ref('dim_student') }} as s
    inner join {{ ref('dim_platform') }} as b on b.platform_id = s.platform_id
    inner join {{ ref('fct_enrolment_census') }} as e on e.student_id = s.student_id and e.census_on >= b.opened_on
    where s.is_current
    group by e.census_on, e.degree_point_id
),

enrolled as (
    select
        e.census_year as evidence_year, e.census_on as end_on, p.degree_point_id, p.inst_code, p.degree_level, p.discipline_code,
        e.students, e.in_programme, coalesce(b.at_platform, 0) as at_platform
    from counted as e
    inner join points as p on p.degree_point_id = e.degree_point_id
    left join placed as b on b.census_on = e.census_on and b.degree_point_id = e.degree_point_id
),

-- the students that the point would have if its institution were mixed as the city is
concentrated as (
    select
        *,
        sum(students) over (partition by evidence_year, inst_code)
        * sum(students) over (partition by evidence_year, degree_level, discipline_code)
        / sum(students) over (partition by evidence_year) as expected_students
    from enrolled
),

awarded as (
    select a.award_year as evidence_year, p.degree_point_id, p.degree_level, p.discipline_code, count(*) as degrees
    from {{ ref('fct_degree_award') }} as a
    inner join points as p on p.degree_point_id = a.degree_point_id
    where a.awarded_on <= {{ as_of() }} and a.award_year >= {{ first_year }}
    group by a.award_year, p.degree_point_id, p.degree_level, p.discipline_code
),

outputs as (
    select
        evidence_year, degree_point_id, degrees,
        sum(degrees) over (partition by evidence_year, degree_level, discipline_code) as city_degrees
    from awarded
),

courses as (
    select distinct y.evidence_year, y.end_on, p.degree_point_id, p.inst_code, p.discipline_code, c.course_name
    from years as y
    inner join {{ ref('bridge_course_degree_point') }} as b
        on b.from_on <= y.end_on and (b.to_on is null or b.to_on >= y.start_on)
    inner join {{ ref('dim_course') }} as c on c.course_id = b.course_id
    inner join points as p on p.degree_point_id = b.degree_point_id
),

taught as (
    select evidence_year, discipline_code, course_name, count(distinct inst_code) as institutions
    from courses
    group by evidence_year, discipline_code, course_name
),

distinct_courses as (
    select
        c.evidence_year, c.end_on, c.degree_point_id, count(*) as courses,
        count(*) filter (where t.institutions = 1) as own_courses
    from courses as c
    inner join taught as t
        on t.evidence_year = c.evidence_year and t.discipline_code = c.discipline_code and t.course_name = c.course_name
    group by c.evidence_year, c.end_on, c.degree_point_id
),

evidence as (
    select * from of_indicators
    union all
    select * from map_strength
    union all
    select * from demand
    union all
    select 'fit_destination', degree_point_id, evidence_year, end_on, matched, employed, matched from destinations
    union all
    select 'con_key_post', degree_point_id, evidence_year, end_on, in_key_post, employed, in_key_post from destinations
    union all
    select * from commissioned
    union all
    select 'dis_quotient', degree_point_id, evidence_year, end_on, students, expected_students, students from concentrated
    union all
    select 'dis_programme', degree_point_id, evidence_year, end_on, in_programme, students, in_programme from enrolled
    union all
    select 'dis_platform', degree_point_id, evidence_year, end_on, at_platform, students, at_platform from enrolled
    union all
    select 'dis_output', degree_point_id, o.evidence_year, y.end_on, degrees, city_degrees, degrees
    from outputs as o
    inner join years as y on y.evidence_year = o.evidence_year
    union all
    select 'dis_course', degree_point_id, evidence_year, end_on, own_courses, courses, own_courses from distinct_courses
)

select
    component_code,
    degree_point_id,
    cast(evidence_year as integer) as evidence_year,
    end_on as evidence_end_on,
    end_on <= {{ as_of() }} as is_complete,
    cast(numerator as double precision) as numerator,
    cast(denominator as double precision) as denominator,
    cast(squares as double precision) as squares
from evidence
where evidence_year >= {{ first_year }} and denominator > 0
