{{ config(follows={
    'key': 'student_id', 'rows': {'dim_student': 'student_id', 'bridge_student_supervisor': 'student_id'},
    'looks_up': {'dim_degree_point': 'degree_point_id', 'dim_programme': 'programme_key'},
}) }}
with censuses as (
    select d.date_on as census_on, d.calendar_year as census_year
    from {{ ref('dim_date') }} as d
    where d.is_census_date and d.calendar_year >= 2016 and d.date_on <= {{ last_census() }}
),

in_study as (
    select c.census_on, c.census_year, s.*
    from censuses as c
    inner join {{ ref('dim_student') }} as s
        on s.entry_on <= c.census_on and (s.left_on is null or s.left_on > c.census_on)
    where s.is_current and s.status_code <> '30' and s.degree_level in ('1', '2') and {{ touched('s.student_id') }}
),

-- guided by an industry supervisor on the day
with_industry as (
    select distinct c.census_on, r.student_id
    from censuses as c
    inner join {{ ref('bridge_student_supervisor') }} as r
        on r.role_code = '30' and r.from_on <= c.census_on and (r.to_on is null or r.to_on >= c.census_on)
    where {{ touched('r.student_id') }}
)

select
    s.census_on,
    s.census_year,
    s.inst_code,
    s.institution_key,
    s.student_id,
    student_then.student_key,
    s.person_key,
    s.unit_code,
    s.org_unit_key,
    s.degree_point_id,
    degree_point_then.degree_point_key,
    s.discipline_code,
    s.programme_key,
    not discipline.is_h02_excluded as is_in_match_scope,
    discipline.key_cluster_strength >= {{ var('map_strength_minimum') }} as is_discipline_matched,
    s.degree_level,
    s.degree_type,
    s.study_mode,
    s.entry_on,
    s.is_joint_training,
    s.is_alternation,
    s.special_programme_code,
    s.platform_id,
    s.nationality_code <> 'CHN' as is_international,
    coalesce(programme.is_interdisciplinary, false) as is_interdisciplinary,
    with_industry.student_id is not null as has_industry_supervisor
from in_study as s
left join with_industry on with_industry.student_id = s.student_id and with_industry.census_on = s.census_on
inner join {{ ref('dim_student') }} as student_then
    on student_then.student_id = s.student_id and s.census_on between student_then.valid_from and student_then.valid_to
left join {{ ref('dim_programme') }} as programme on programme.programme_key = s.programme_key
left join {{ ref('dim_discipline') }} as discipline on discipline.discipline_code = s.discipline_code
left join {{ ref('dim_degree_point') }} as degree_point_then
    on degree_point_then.degree_point_id = s.degree_point_id
    and s.census_on between degree_point_then.valid_from and degree_point_then.valid_to
