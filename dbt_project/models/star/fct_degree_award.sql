{{ config(follows={
    'key': 'student_id', 'rows': {'degree_award': 'student_id', 'dim_student': 'student_id', 'fct_course_enrolment': 'student_id'},
    'looks_up': {'dim_degree_point': 'degree_point_id', 'fct_thesis': 'thesis_id'},
}) }}
with innovation as (
    select distinct student_id
    from {{ ref('fct_course_enrolment') }}
    where is_passed and is_innovation_course and {{ touched('student_id') }}
)

select
    a.award_id,
    {{ institution_of('coalesce(a.student_id, a.degree_point_id)') }} as inst_code,
    {{ key(institution_of('coalesce(a.student_id, a.degree_point_id)')) }} as institution_key,
    a.student_id,
    student_then.student_key,
    student_now.person_key,
    a.degree_point_id,
    degree_point_then.degree_point_key,
    degree_point_now.discipline_code,
    a.discipline_code as award_discipline_code,
    a.degree_code,
    degree.name_zh as degree_name,
    a.degree_level,
    a.degree_type,
    a.thesis_id,
    thesis.thesis_id is not null as is_thesis_accepted,
    thesis.is_frontline_topic,
    thesis.is_frontline_evidenced,
    a.awarded_on,
    {{ year_of('a.awarded_on') }} as award_year,
    {{ academic_year('a.awarded_on') }} as academic_year,
    a.basis_code,
    basis.name_zh as basis_name,
    a.applicant_kind,
    applicant_kind.name_zh as applicant_kind_name,
    innovation.student_id is not null as has_innovation_course
from {{ source('accepted', 'degree_award') }} as a
{{ join_versions('dim_student', 'a.student_id', 'a.awarded_on') }}
{{ join_versions('dim_degree_point', 'a.degree_point_id', 'a.awarded_on') }}
left join innovation on innovation.student_id = a.student_id
left join {{ ref('fct_thesis') }} as thesis on thesis.thesis_id = a.thesis_id
{{ join_name('degree', 'a.degree_code', 'degree') }}
{{ join_name('award_basis', 'a.basis_code', 'basis') }}
{{ join_name('applicant_kind', 'a.applicant_kind', 'applicant_kind') }}
where {{ touched('a.student_id') }}
