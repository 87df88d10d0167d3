{{ config(follows={
    'key': 'student_id', 'rows': {'course_enrolment': 'student_id', 'dim_student': 'student_id'},
    'looks_up': {'fct_course_offering': 'offering_id'},
}) }}
-- The greatest table: the student's present version and the offering are looked up once each, by hash. Institution: the student's.
select
    e.enrolment_id,
    {{ institution_of('e.student_id') }} as inst_code,
    {{ key(institution_of('e.student_id')) }} as institution_key,
    e.student_id,
    student.student_key,
    student.person_key,
    student.degree_point_id,
    student.discipline_code,
    student.degree_level,
    student.degree_type,
    e.offering_id,
    offering.course_id,
    offering.course_key,
    coalesce(offering.is_innovation_course, false) as is_innovation_course,
    e.academic_year,
    e.term_code,
    e.is_cross_inst as is_cross_institution,
    e.partner_inst_code,
    coalesce(e.is_cross_inst and e.partner_region_code like '51%', false) as is_sichuan_partner,
    e.result_code,
    result.name_zh as result_name,
    coalesce(e.result_code = '1', false) as is_passed,
    e.credits_earned,
    e.credits_recognised,
    e.recognised_on
from {{ source('accepted', 'course_enrolment') }} as e
left join {{ ref('dim_student') }} as student on student.student_id = e.student_id and student.is_current
left join {{ ref('fct_course_offering') }} as offering on offering.offering_id = e.offering_id
{{ join_name('course_result', 'e.result_code', 'result') }}
where {{ touched('e.student_id') }}
