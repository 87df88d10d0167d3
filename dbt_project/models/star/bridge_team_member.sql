-- Institution of record: the team's; members may come from other institutions.
select
    m.team_id,
    m.supervisor_id,
    m.role_code,
    role.name_zh as role_name,
    m.from_on,
    m.to_on,
    coalesce(team.inst_code, m.src_inst_code) as inst_code,
    {{ key('coalesce(team.inst_code, m.src_inst_code)') }} as institution_key,
    team.team_key,
    supervisor.supervisor_key,
    m.from_on <= {{ as_of() }} and (m.to_on is null or m.to_on >= {{ as_of() }}) as is_open
from {{ source('accepted', 'team_member') }} as m
left join {{ ref('dim_team') }} as team on team.team_id = m.team_id
left join {{ ref('dim_supervisor') }} as supervisor
    on supervisor.supervisor_id = m.supervisor_id and supervisor.is_current
{{ join_name('team_role', 'm.role_code', 'role') }}
