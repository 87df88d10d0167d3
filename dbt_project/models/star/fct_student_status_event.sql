{{ config(follows={
    'key': 'student_id', 'rows': {'student_status_event': 'student_id', 'dim_student': 'student_id'},
    'looks_up': {'dim_degree_point': 'degree_point_id', 'dim_programme': ['programme_id', 'to_programme_id']},
}) }}
select
    e.event_id,
    {{ institution_of('e.student_id') }} as inst_code,
    {{ key(institution_of('e.student_id')) }} as institution_key,
    e.student_id,
    student_then.student_key,
    student_now.person_key,
    student_now.degree_point_id,
    degree_point_then.degree_point_key,
    student_now.discipline_code,
    student_now.degree_level,
    student_now.degree_type,
    student_now.study_mode,
    e.event_type,
    event_type.name_zh as event_type_name,
    e.event_on,
    {{ academic_year('e.event_on') }} as academic_year,
    e.reason_code,
    e.to_programme_id,
    to_programme.programme_key as to_programme_key
from {{ source('accepted', 'student_status_event') }} as e
{{ join_versions('dim_student', 'e.student_id', 'e.event_on') }}
{{ join_version_then('dim_degree_point', 'student_now.degree_point_id', 'e.event_on') }}
left join {{ ref('dim_programme') }} as to_programme on to_programme.programme_id = e.to_programme_id
{{ join_name('student_status_event_type', 'e.event_type', 'event_type') }}
where {{ touched('e.student_id') }}
