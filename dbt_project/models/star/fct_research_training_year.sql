{{ config(follows={
    'key': 'student_id',
    'rows': {
        'fct_practice_year': 'student_id', 'fct_practice_participation': 'student_id', 'fct_research_participation': 'student_id',
    },
    'days': {'fct_practice_participation': ['from_on'], 'fct_research_participation': ['from_on']},
}) }}
-- M08.1: who was in study on one of the two censuses between which an academic year lies, and which projects they took part in then
with research as (
    select
        y.academic_year,
        p.student_id,
        bool_or(p.project_kind_code = '10') as is_in_research,
        bool_or(p.project_kind_code = '20') as is_in_commissioned,
        bool_or(p.project_kind_code = '30') as is_in_innovation
    from {{ ref('dim_academic_year') }} as y
    inner join {{ ref('fct_research_participation') }} as p
        on p.from_on <= least(y.end_on, {{ as_of() }}) and (p.to_on is null or p.to_on >= y.start_on)
    where y.start_year >= 2020 and {{ touched('p.student_id') }}
    group by y.academic_year, p.student_id
),

practice as (
    select distinct academic_year, student_id
    from {{ ref('fct_practice_participation') }}
    where is_verified and from_on <= {{ as_of() }} and {{ touched('student_id') }}
)

select
    f.academic_year,
    f.student_id,
    f.person_key,
    f.inst_code,
    f.institution_key,
    f.degree_point_id,
    f.degree_level,
    f.degree_type,
    f.is_at_first_census,
    f.is_at_second_census,
    practice.student_id is not null as is_in_practice,
    coalesce(research.is_in_research, false) as is_in_research,
    coalesce(research.is_in_commissioned, false) as is_in_commissioned,
    coalesce(research.is_in_innovation, false) as is_in_innovation,
    practice.student_id is not null or research.student_id is not null as is_in_project
from {{ ref('fct_practice_year') }} as f
left join research on research.academic_year = f.academic_year and research.student_id = f.student_id
left join practice on practice.academic_year = f.academic_year and practice.student_id = f.student_id
where (f.is_at_first_census or f.is_at_second_census) and f.academic_year >= '2020' and {{ touched('f.student_id') }}
