-- A course of several degree points counts in part for each; the institution is the course's.
select
    p.course_id,
    p.degree_point_id,
    p.from_on,
    p.to_on,
    coalesce(course.inst_code, p.src_inst_code) as inst_code,
    {{ key('coalesce(course.inst_code, p.src_inst_code)') }} as institution_key,
    course.course_key,
    degree_point.degree_point_key,
    degree_point.discipline_code,
    p.from_on <= {{ as_of() }} and (p.to_on is null or p.to_on >= {{ as_of() }}) as is_open,
    1.0 / count(*) over (partition by p.course_id) as weight_share
from {{ source('accepted', 'course_degree_point') }} as p
left join {{ ref('dim_course') }} as course on course.course_id = p.course_id
left join {{ ref('dim_degree_point') }} as degree_point
    on degree_point.degree_point_id = p.degree_point_id and degree_point.is_current
