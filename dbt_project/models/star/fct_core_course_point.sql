-- M06.1 by degree point: every core course of a window once for each degree point it is for, or once without one
select
    c.academic_year,
    c.course_id,
    coalesce(p.degree_point_id, '-') as degree_point_code,
    c.inst_code,
    c.institution_key,
    p.degree_point_id,
    p.degree_point_key,
    p.discipline_code,
    c.is_core_3y,
    c.is_renewed_3y,
    c.is_core_5y,
    c.is_renewed_5y
from {{ ref('fct_core_course_year') }} as c
left join (
    select distinct course_id, degree_point_id, degree_point_key, discipline_code from {{ ref('bridge_course_degree_point') }}
) as p on p.course_id = c.course_id
