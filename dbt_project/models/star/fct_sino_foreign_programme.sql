select
    p.programme_ext_id as approval_id,
    {{ present_institution('p.inst_code') }} as inst_code,
    {{ key(present_institution('p.inst_code')) }} as institution_key,
    p.degree_level,
    p.discipline_code,
    p.country_code,
    p.approved_on,
    p.valid_to as valid_to_on,
    p.valid_to is null or p.valid_to >= {{ as_of() }} as is_valid,
    p.enrolled_cnt as enrolled_count
from {{ source('accepted', 'sino_foreign_programme') }} as p
