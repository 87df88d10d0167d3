select
    p.project_id,
    {{ present_institution('p.inst_code') }} as inst_code,
    {{ key(present_institution('p.inst_code')) }} as institution_key,
    p.pi_supervisor_id,
    supervisor_then.supervisor_key,
    p.level_code,
    level.name_zh as level_name,
    p.fund_source_code,
    fund_source.name_zh as fund_source_name,
    p.amount as amount_cny,
    p.start_on,
    {{ year_of('p.start_on') }} as start_year,
    p.end_on
from {{ source('accepted', 'research_project') }} as p
{{ join_version_then('dim_supervisor', 'p.pi_supervisor_id', 'p.start_on') }}
{{ join_name('award_level', 'p.level_code', 'level') }}
{{ join_name('fund_source', 'p.fund_source_code', 'fund_source') }}
