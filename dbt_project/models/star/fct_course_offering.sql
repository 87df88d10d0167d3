{{ config(follows={'key': 'offering_id', 'rows': {'course_offering': 'offering_id'}, 'looks_up': {'dim_course': 'course_id'}}) }}
-- Institution of record: the course's; an offering whose course is not accepted counts for the institution that reports it.
select
    o.offering_id,
    {{ present_institution('coalesce(course.inst_code, o.src_inst_code)') }} as inst_code,
    {{ key(present_institution('coalesce(course.inst_code, o.src_inst_code)')) }} as institution_key,
    o.course_id,
    course.course_key,
    coalesce(course.is_core, false) as is_core,
    coalesce({{ has_tag('course.tag_codes', ['SZ']) }}, false) as is_ideology_course,
    coalesce({{ has_tag('course.tag_codes', ['AI1', 'AI2', 'CX', 'ZH']) }}, false) as is_innovation_course,
    coalesce({{ has_tag('course.tag_codes', ['JC']) }}, false) as is_interdisciplinary_course,
    course.unit_code,
    course.org_unit_key,
    o.revision_id,
    o.academic_year,
    o.term_code,
    term.name_zh as term_name,
    {{ item_count('o.teacher_ids') }} as teacher_count,
    o.enrolled_cnt as enrolled_count,
    o.is_cross_inst_open as is_cross_institution_open,
    o.delivery_mode,
    delivery_mode.name_zh as delivery_mode_name
from {{ source('accepted', 'course_offering') }} as o
left join {{ ref('dim_course') }} as course on course.course_id = o.course_id
{{ join_name('term', 'o.term_code', 'term') }}
{{ join_name('delivery_mode', 'o.delivery_mode', 'delivery_mode') }}
where {{ touched('o.offering_id') }}
