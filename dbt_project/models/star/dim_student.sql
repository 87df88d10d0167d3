-- A history is estimated at one row, and a nested loop over what is estimated so takes fourteen times as long.
{{ config(follows={
    'key': 'student_id', 'rows': {'student': 'student_id'},
    'looks_up': {'degree_point': 'degree_point_id', 'programme': 'programme_id'},
}, pre_hook="set local enable_nestloop = off") }}
with history as (
    {{ history('student', 'student_id', [
        'person_key', 'inst_code', 'unit_code', 'degree_point_id', 'programme_id', 'degree_level', 'degree_type',
        'study_mode', 'entry_on', 'expected_end_on', 'status_code', 'left_on', 'enrol_category', 'nationality_code',
        'gatq_code', 'gender_code', 'ethnic_code', 'political_code', 'birth_year', 'origin_region_code',
        'is_joint_training', 'platform_id', 'is_alternation', 'special_programme_code',
    ]) }}
)

select
    {{ key(institution_of('h.student_id'), ['h.student_id', 'h.valid_from']) }} as student_key,
    h.student_id,
    h.person_key,
    {{ institution_of('h.student_id') }} as inst_code,
    {{ key(institution_of('h.student_id')) }} as institution_key,
    h.unit_code,
    {{ key('h.inst_code', 'h.unit_code') }} as org_unit_key,
    h.degree_point_id,
    h.programme_id,
    {{ key(institution_of('h.degree_point_id'), 'h.programme_id') }} as programme_key,
    coalesce(programme_succession.discipline_code, reported.counted_discipline_code, degree_point.discipline_code) as discipline_code,
    h.degree_level,
    h.degree_type,
    h.study_mode,
    study_mode.name_zh as study_mode_name,
    h.entry_on,
    h.expected_end_on,
    h.status_code,
    status.name_zh as status_name,
    h.left_on,
    h.enrol_category,
    h.nationality_code,
    h.gatq_code,
    h.gender_code,
    gender.name_zh as gender_name,
    h.ethnic_code,
    h.political_code,
    h.birth_year,
    h.origin_region_code,
    h.is_joint_training,
    h.platform_id,
    h.is_alternation,
    h.special_programme_code,
    h.version_number,
    h.valid_from,
    h.valid_to,
    h.is_current
from history as h
{{ join_name('study_mode', 'h.study_mode', 'study_mode') }}
{{ join_name('student_state', 'h.status_code', 'status') }}
{{ join_name('gender', 'h.gender_code', 'gender') }}
left join {{ source('accepted', 'degree_point') }} as degree_point on degree_point.degree_point_id = h.degree_point_id
left join {{ ref('dim_discipline') }} as reported on reported.discipline_code = degree_point.discipline_code
left join {{ source('accepted', 'programme') }} as programme on programme.programme_id = h.programme_id
{{ join_programme_succession('programme.programme_code') }}
