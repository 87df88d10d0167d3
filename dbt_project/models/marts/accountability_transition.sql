select
    cast(r.event_id as integer) as event_id,
    cast(r.case_id as integer) as case_id,
    c.src_inst_code as inst_code,
    institution.inst_name,
    institution.inst_order,
    c.target_kind as target_kind_code,
    target.name_zh as target_kind_zh,
    target.name_en as target_kind_en,
    c.target_code,
    r.as_of as step_on,
    r.action as action_code,
    action.name_zh as action_zh,
    action.name_en as action_en,
    {{ code_or_none('e.from_state') }} as from_state_code,
    {{ label_zh('from_state.name_zh') }} as from_state_zh,
    {{ label_en('from_state.name_en') }} as from_state_en,
    e.to_state as to_state_code,
    to_state.name_zh as to_state_zh,
    to_state.name_en as to_state_en,
    e.actor = 'yuyan' as is_by_line,
    r.role_name,
    r.document_no,
    r.statement_until,
    r.stated_on,
    case when r.statement_until is not null then r.stated_on is not null end as is_stated,
    case when e.actor = 'yuyan' then r.reason end as reason,
    cast(r.figures as text) as figures,
    cast(jsonb_array_length(r.figures) as integer) as figure_count,
    r.signal_run_id,
    r.rule_version,
    r.parameter_version,
    {{ code_or_none('f.effect_code') }} as effect_code,
    {{ label_zh('effect.name_zh') }} as effect_zh,
    {{ label_en('effect.name_en') }} as effect_en,
    f.effect_year,
    f.quota_cut as quota_cut_count,
    f.quota_before as quota_before_count,
    f.quota_after as quota_after_count,
    {{ code_or_none('f.state') }} as effect_state_code,
    {{ label_zh('effect_state.name_zh') }} as effect_state_zh,
    {{ label_en('effect_state.name_en') }} as effect_state_en,
    {{ provenance_columns() }}
from {{ source('accountability', 'case_record') }} as r
inner join {{ source('accountability', 'case_file') }} as c on c.case_id = r.case_id
inner join {{ source('quality', 'life_cycle_event') }} as e on e.event_id = r.event_id
left join {{ source('accountability', 'case_effect') }} as f on f.event_id = r.event_id
{{ join_institution_of('c.src_inst_code') }}
{{ join_name('case_target', 'c.target_kind', 'target') }}
{{ join_name('case_action', 'r.action', 'action') }}
{{ join_name('case_state', 'e.from_state', 'from_state') }}
{{ join_name('case_state', 'e.to_state', 'to_state') }}
{{ join_name('case_effect', 'f.effect_code', 'effect') }}
{{ join_name('case_effect_state', 'f.state', 'effect_state') }}
where not c.is_restricted
