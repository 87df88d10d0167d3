{{ config(follows={
    'key': 'student_id', 'rows': {'student_supervisor': 'student_id', 'dim_student': 'student_id'},
    'looks_up': {'dim_supervisor': 'supervisor_id'}, 'days': {'student_supervisor': ['from_on', 'to_on']},
}) }}
select
    r.student_id,
    r.supervisor_id,
    r.role_code,
    role.name_zh as role_name,
    r.from_on,
    r.to_on,
    {{ institution_of('r.student_id') }} as inst_code,
    {{ key(institution_of('r.student_id')) }} as institution_key,
    student.student_key,
    supervisor.supervisor_key,
    r.from_on <= {{ as_of() }} and (r.to_on is null or r.to_on >= {{ as_of() }}) as is_open,
    1.0 / count(*) over (partition by r.student_id) as weight_share
from {{ source('accepted', 'student_supervisor') }} as r
left join {{ ref('dim_student') }} as student on student.student_id = r.student_id and student.is_current
left join {{ ref('dim_supervisor') }} as supervisor
    on supervisor.supervisor_id = r.supervisor_id and supervisor.is_current
{{ join_name('supervision_role', 'r.role_code', 'role') }}
where {{ touched('r.student_id') }}
