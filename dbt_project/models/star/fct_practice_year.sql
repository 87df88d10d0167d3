-- H08: student records that overlap an academic year, and whether they took part in a major industry project in it
with participations as (
    select distinct student_id, academic_year
    from {{ ref('fct_practice_participation') }}
    where is_verified
        and is_major_industry
        and major_basis_code is not null
        and participation_days_count >= {{ var('practice_days_minimum') }}
        and from_on <= {{ as_of() }}
)

select
    y.academic_year,
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
    p.student_id is not null as is_participant,
    s.entry_on < y.start_on as is_continuing,
    s.entry_on <= y.start_on as is_in_study_first_day,
    s.left_on is null or s.left_on > y.end_on as is_in_study_last_day
from {{ ref('dim_academic_year') }} as y
inner join {{ ref('fct_student_lifecycle') }} as s
    on s.entry_on <= y.end_on and (s.left_on is null or s.left_on > y.start_on)
left join participations as p on p.student_id = s.student_id and p.academic_year = y.academic_year
where y.start_year >= 2016 and s.status_code <> '30' and s.degree_level in ('1', '2')
