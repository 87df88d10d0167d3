{{ config(follows={
    'key': 'supervisor_id',
    'rows': {'bridge_student_supervisor': 'supervisor_id', 'dim_supervisor': 'supervisor_id'},
    'through': {'fct_enrolment_census': ['student_id', 'bridge_student_supervisor', 'student_id', 'supervisor_id']},
}) }}
-- M07.4: how many students in study a first supervisor guides on the census date
select
    c.census_on,
    c.census_year,
    r.supervisor_id,
    supervisor_then.supervisor_key,
    {{ institution_of('r.supervisor_id') }} as inst_code,
    {{ key(institution_of('r.supervisor_id')) }} as institution_key,
    cast(count(distinct c.student_id) as integer) as student_count,
    cast(count(distinct c.student_id) filter (where c.degree_level = '1') as integer) as doctoral_student_count,
    cast(count(distinct c.student_id) filter (where c.degree_type = '2') as integer) as professional_student_count
from {{ ref('fct_enrolment_census') }} as c
inner join {{ ref('bridge_student_supervisor') }} as r
    on r.student_id = c.student_id
    and r.role_code = '10'
    and r.from_on <= c.census_on
    and (r.to_on is null or r.to_on >= c.census_on)
{{ join_version_then('dim_supervisor', 'r.supervisor_id', 'c.census_on') }}
where {{ touched('r.supervisor_id') }}
group by c.census_on, c.census_year, r.supervisor_id, supervisor_then.supervisor_key
