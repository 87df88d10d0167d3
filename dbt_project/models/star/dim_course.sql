select
    {{ key('c.inst_code', 'c.course_id') }} as course_key,
    c.course_id,
    {{ present_institution('c.inst_code') }} as inst_code,
    {{ key(present_institution('c.inst_code')) }} as institution_key,
    c.unit_code,
    {{ key('c.inst_code', 'c.unit_code') }} as org_unit_key,
    c.course_name,
    c.course_rank_code,
    course_rank.name_zh as course_rank_name,
    c.is_core,
    c.core_basis_code,
    c.core_from as core_from_on,
    c.core_to as core_to_on,
    c.credits,
    {{ joined('c.tag_codes') }} as tag_codes,
    c.active_from as active_from_on,
    c.active_to as active_to_on
from {{ source('accepted', 'course') }} as c
{{ join_name('course_rank', 'c.course_rank_code', 'course_rank') }}
