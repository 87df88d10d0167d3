select
    {{ key('t.inst_code', 't.team_id') }} as team_key,
    t.team_id,
    t.inst_code,
    {{ key('t.inst_code') }} as institution_key,
    t.team_kind,
    team_kind.name_zh as team_kind_name,
    t.level_code,
    level.name_zh as level_name,
    t.approved_on,
    t.is_cross_unit,
    t.is_school_enterprise,
    t.is_multi_inst as is_multi_institution,
    t.discipline_group as discipline_group_code,
    discipline_group.name_zh as discipline_group_name,
    t.list_project_id
from {{ source('accepted', 'team') }} as t
{{ join_name('team_kind', 't.team_kind', 'team_kind') }}
{{ join_name('award_level', 't.level_code', 'level') }}
{{ join_name('discipline_group', 't.discipline_group', 'discipline_group') }}
