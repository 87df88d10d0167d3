{{ config(follows={
    'key': 'student_id',
    'rows': {'fct_student_lifecycle': 'student_id', 'fct_practice_participation': 'student_id', 'fct_enrolment_census': 'student_id'},
    'days': {'fct_practice_participation': ['from_on']},
}) }}
-- H08: who took part in a major industry project in an academic year, and who was in study on the two censuses between which it
-- lies; until the second has come, the first stands for both
with participations as (
    select distinct student_id, academic_year
    from {{ ref('fct_practice_participation') }}
    where is_verified
        and is_major_industry
        and major_basis_code is not null
        and participation_days_count >= {{ var('practice_days_minimum') }}
        and from_on <= {{ as_of() }}
        and {{ touched('student_id') }}
),

years as (
    select
        academic_year, start_year, start_on, end_on,
        {{ make_date('start_year + 1', 9, 1) }} as next_start_on,
        {{ make_date('start_year + 1', 9, 30) }} as second_census_on,
        {{ make_date('start_year + 1', 9, 30) }} <= {{ last_census() }} as has_second_census
    from {{ ref('dim_academic_year') }}
    where start_year >= 2016
),

records as (
    select
        y.academic_year,
        y.has_second_census,
        s.student_id,
        s.person_key,
        s.inst_code,
        s.institution_key,
        s.degree_point_id,
        s.discipline_code,
        s.degree_level,
        s.degree_type,
        s.entry_on,
        s.left_on,
        p.student_id is not null and s.entry_on <= y.end_on and s.status_code <> '30' and s.degree_level in ('1', '2')
        as is_participant,
        first_census.student_id is not null as is_at_first_census,
        second_census.student_id is not null as is_at_second_census,
        s.entry_on < y.start_on as is_continuing,
        s.entry_on < y.next_start_on as is_continuing_a_year_later
    from years as y
    inner join {{ ref('fct_student_lifecycle') }} as s
        on s.entry_on <= y.second_census_on and (s.left_on is null or s.left_on > y.start_on)
    left join participations as p on p.student_id = s.student_id and p.academic_year = y.academic_year
    left join {{ ref('fct_enrolment_census') }} as first_census
        on first_census.student_id = s.student_id and first_census.census_year = y.start_year
    left join {{ ref('fct_enrolment_census') }} as second_census
        on second_census.student_id = s.student_id and second_census.census_year = y.start_year + 1
    where {{ touched('s.student_id') }}
)

select
    academic_year,
    student_id,
    person_key,
    inst_code,
    institution_key,
    degree_point_id,
    discipline_code,
    degree_level,
    degree_type,
    entry_on,
    left_on,
    is_participant,
    is_continuing,
    is_at_first_census,
    case when has_second_census then is_at_second_census else is_at_first_census end as is_at_second_census,
    case when has_second_census then is_continuing_a_year_later else is_continuing end as is_continuing_at_second_census
from records
where is_participant or is_at_first_census or is_at_second_census
