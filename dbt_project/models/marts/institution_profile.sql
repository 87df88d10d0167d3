-- a person counts once, whatever of their registrations is in a census
with persons as (
    select
        inst_code,
        census_year as profile_year,
        bool_or(degree_level = '1') as is_doctoral,
        bool_or(degree_type = '2') as is_professional,
        bool_or(study_mode = '2') as is_part_time
    from {{ ref('fct_enrolment_census') }}
    where person_key is not null
    group by inst_code, census_year, person_key
),

sizes as (
    select
        inst_code,
        profile_year,
        count(*) as in_study,
        count(*) filter (where is_doctoral) as doctoral,
        count(*) filter (where is_professional) as professional,
        count(*) filter (where is_part_time) as part_time
    from persons
    group by inst_code, profile_year
),

entrants as (
    select inst_code, profile_year, count(*) as entrants
    from (
        select distinct inst_code, exam_year as profile_year, person_key
        from {{ ref('fct_admission') }}
        where is_registered and person_key is not null
    ) as registered
    group by inst_code, profile_year
),

awards as (
    select inst_code, award_year as profile_year, count(*) as degrees
    from {{ ref('fct_degree_award') }}
    where awarded_on <= {{ as_of() }}
    group by inst_code, award_year
),

courses as (
    select inst_code, {{ year_of('period_end_on') }} as profile_year, sum(core_course_count) as core_courses
    from {{ ref('course_renewal') }}
    group by inst_code, {{ year_of('period_end_on') }}
),

years as (
    select distinct calendar_year as profile_year
    from {{ ref('dim_date') }}
    where calendar_year between 2016 and {{ this_year() }}
)

select
    y.profile_year,
    {{ make_date('y.profile_year', 12, 31) }} as period_end_on,
    {{ completeness(make_date('y.profile_year', 12, 31)) }},
    i.inst_code,
    i.inst_name,
    cast(dense_rank() over (order by i.inst_code) as integer) as inst_order,
    i.peer_group_code,
    i.peer_group_name as peer_group_zh,
    peer_group.name_en as peer_group_en,
    i.affiliation_code,
    i.affiliation_name as affiliation_zh,
    affiliation.name_en as affiliation_en,
    i.is_doctor_granting,
    {% for column in ['in_study', 'doctoral', 'professional', 'part_time'] -%}
    cast(coalesce(s.{{ column }}, 0) as integer) as {{ column }}_count,
    {% endfor -%}
    cast(coalesce(e.entrants, 0) as integer) as entrant_count,
    cast(coalesce(a.degrees, 0) as integer) as degree_count,
    cast(coalesce(c.core_courses, 0) as integer) as core_course_count,
    {{ provenance_columns() }}
from {{ ref('dim_institution') }} as i
cross join years as y
{%- for part, alias in {'sizes': 's', 'entrants': 'e', 'awards': 'a', 'courses': 'c'}.items() %}
left join {{ part }} as {{ alias }} on {{ alias }}.inst_code = i.inst_code and {{ alias }}.profile_year = y.profile_year
{%- endfor %}
{{ join_name('peer_group', 'i.peer_group_code', 'peer_group') }}
{{ join_name('affiliation', 'i.affiliation_code', 'affiliation') }}
