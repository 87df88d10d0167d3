{{ config(follows={'key': 'student_id', 'rows': {'research_participation': 'student_id', 'dim_student': 'student_id'}}) }}
select
    p.participation_id,
    p.project_kind as project_kind_code,
    project_kind.name_zh as project_kind_name,
    p.project_id,
    {{ institution_of('p.student_id') }} as inst_code,
    {{ key(institution_of('p.student_id')) }} as institution_key,
    p.student_id,
    student_then.student_key,
    p.role_code,
    role.name_zh as role_name,
    p.from_on,
    p.to_on
from {{ source('accepted', 'research_participation') }} as p
{{ join_version_then('dim_student', 'p.student_id', 'p.from_on') }}
{{ join_name('participation_project_kind', 'p.project_kind', 'project_kind') }}
{{ join_name('participation_role', 'p.role_code', 'role') }}
where {{ touched('p.student_id') }}
