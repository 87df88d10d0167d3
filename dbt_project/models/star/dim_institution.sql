select
    {{ key('i.inst_code') }} as institution_key,
    i.inst_code,
    i.inst_name,
    i.uscc,
    i.affiliation_code,
    affiliation.name_zh as affiliation_name,
    i.peer_group_code,
    peer_group.name_zh as peer_group_name,
    i.grants_doctor as is_doctor_granting,
    i.grants_master as is_master_granting,
    i.grants_bachelor as is_bachelor_granting,
    i.region_code,
    i.connected_on,
    i.valid_from,
    i.valid_to
from {{ source('accepted', 'institution') }} as i
{{ join_name('affiliation', 'i.affiliation_code', 'affiliation') }}
{{ join_name('peer_group', 'i.peer_group_code', 'peer_group') }}
