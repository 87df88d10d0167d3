select
    e.offering_id,
    e.instrument_version,
    {{ present_institution('coalesce(offering.inst_code, e.src_inst_code)') }} as inst_code,
    {{ key(present_institution('coalesce(offering.inst_code, e.src_inst_code)')) }} as institution_key,
    offering.course_id,
    offering.course_key,
    offering.org_unit_key,
    offering.academic_year,
    offering.term_code,
    e.eligible_cnt as eligible_count,
    e.response_cnt as response_count,
    e.n1 as score_1_count,
    e.n2 as score_2_count,
    e.n3 as score_3_count,
    e.n4 as score_4_count,
    e.n5 as score_5_count,
    e.n4 + e.n5 as satisfied_count,
    e.n1 + 2 * e.n2 + 3 * e.n3 + 4 * e.n4 + 5 * e.n5 as score_sum,
    e.collected_to as collected_to_on
from {{ source('accepted', 'course_evaluation') }} as e
left join {{ ref('fct_course_offering') }} as offering on offering.offering_id = e.offering_id
