select
    {{ key('u.inst_code', 'u.unit_code') }} as org_unit_key,
    {{ present_institution('u.inst_code') }} as inst_code,
    {{ key(present_institution('u.inst_code')) }} as institution_key,
    u.unit_code,
    u.unit_name,
    u.parent_unit_code,
    u.unit_kind as unit_kind_code,
    unit_kind.name_zh as unit_kind_name,
    u.is_entity,
    u.valid_from,
    u.valid_to
from {{ source('accepted', 'org_unit') }} as u
{{ join_name('unit_kind', 'u.unit_kind', 'unit_kind') }}
