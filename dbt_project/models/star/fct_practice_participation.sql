{{ config(follows={
    'key': 'student_id', 'rows': {'practice_participation': 'student_id', 'dim_student': 'student_id'},
    'looks_up': {'dim_degree_point': 'degree_point_id', 'dim_practice_project': 'project_id'},
}) }}
select
    p.participation_id,
    p.project_id,
    project.practice_project_key,
    {{ institution_of('p.student_id') }} as inst_code,
    {{ key(institution_of('p.student_id')) }} as institution_key,
    p.student_id,
    student_then.student_key,
    student_now.person_key,
    student_now.degree_point_id,
    degree_point_then.degree_point_key,
    student_now.discipline_code,
    student_now.degree_level,
    student_now.degree_type,
    student_now.study_mode,
    p.role_code,
    role.name_zh as role_name,
    p.from_on,
    {{ academic_year('p.from_on') }} as academic_year,
    p.to_on,
    p.days as participation_days_count,
    p.verified as is_verified,
    p.verifier_kind,
    p.outcome_code,
    coalesce(project.is_major_industry, false) as is_major_industry,
    project.major_basis_code,
    project.cluster_code
from {{ source('accepted', 'practice_participation') }} as p
{{ join_versions('dim_student', 'p.student_id', 'p.from_on') }}
{{ join_version_then('dim_degree_point', 'student_now.degree_point_id', 'p.from_on') }}
left join {{ ref('dim_practice_project') }} as project on project.project_id = p.project_id
{{ join_name('participation_role', 'p.role_code', 'role') }}
where {{ touched('p.student_id') }}
