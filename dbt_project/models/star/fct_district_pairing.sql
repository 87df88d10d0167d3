-- A school with a district, a college with an industry, a team with an enterprise
select
    d.pairing_id,
    {{ present_institution('d.inst_code') }} as inst_code,
    {{ key(present_institution('d.inst_code')) }} as institution_key,
    d.pairing_level as pairing_level_code,
    level.name_zh as pairing_level_name,
    d.unit_code,
    {{ key('d.inst_code', 'd.unit_code') }} as org_unit_key,
    d.team_id,
    team.team_key,
    d.counterpart_code,
    {{ partner_key(counterpart_kind('d.pairing_level'), 'd.counterpart_code') }} as partner_key,
    d.signed_on,
    {{ year_of('d.signed_on') }} as signed_year,
    d.valid_to,
    d.demand_cnt as demand_count,
    d.result_cnt as result_count,
    d.signed_on <= {{ as_of() }} and (d.valid_to is null or d.valid_to >= {{ as_of() }}) as is_open
from {{ source('accepted', 'district_pairing') }} as d
left join {{ ref('dim_team') }} as team on team.team_id = d.team_id
{{ join_name('pairing_level', 'd.pairing_level', 'level') }}
