-- Cases with a reason that concerns persons are counts per institution and state, none below the least size of a cell.
with cases as (
    select
        cast(c.case_id as integer) as case_id,
        c.target_kind,
        c.target_code,
        c.src_inst_code,
        c.state,
        c.level_code,
        array_to_string(c.rule_codes, ';') as rule_codes,
        c.opened_on,
        c.entered_on,
        c.proposed_action,
        c.proposed_on,
        c.intended_action,
        c.statement_until,
        c.stated_on,
        c.rectify_by,
        c.reported_on,
        c.corrected_on,
        c.escalated_on,
        false as is_confidential,
        1 as case_count
    from {{ source('accountability', 'case_file') }} as c
    where not c.is_restricted
    union all
    select
        0, '-', '-', c.src_inst_code, c.state, '-', null, null, null, null, null, null, null, null, null, null, null, null, true,
        {{ large_enough('count(*)') }}
    from {{ source('accountability', 'case_file') }} as c
    where c.is_restricted
    group by c.src_inst_code, c.state
)

select
    c.case_id,
    c.src_inst_code as inst_code,
    institution.inst_name,
    institution.inst_order,
    c.target_kind as target_kind_code,
    {{ label_zh('target.name_zh') }} as target_kind_zh,
    {{ label_en('target.name_en') }} as target_kind_en,
    c.target_code,
    c.state as state_code,
    state.name_zh as state_zh,
    state.name_en as state_en,
    c.state not in ('lifted', 'dismissed', 'revocation_proposed') as is_open,
    c.level_code,
    {{ label_zh('level.name_zh') }} as level_zh,
    {{ label_en('level.name_en') }} as level_en,
    c.rule_codes,
    c.opened_on,
    c.entered_on,
    {{ code_or_none('c.proposed_action') }} as proposed_action_code,
    {{ label_zh('proposed.name_zh') }} as proposed_action_zh,
    {{ label_en('proposed.name_en') }} as proposed_action_en,
    c.proposed_on,
    {{ code_or_none('c.intended_action') }} as intended_action_code,
    {{ label_zh('intended.name_zh') }} as intended_action_zh,
    {{ label_en('intended.name_en') }} as intended_action_en,
    c.statement_until,
    c.stated_on,
    c.rectify_by,
    c.reported_on,
    c.corrected_on is not null as is_corrected,
    c.escalated_on is not null as is_overdue,
    c.is_confidential,
    c.case_count,
    {{ provenance_columns() }}
from cases as c
{{ join_institution_of('c.src_inst_code') }}
{{ join_name('case_target', 'c.target_kind', 'target') }}
{{ join_name('case_state', 'c.state', 'state') }}
{{ join_name('warning_level', 'c.level_code', 'level') }}
{{ join_name('case_action', 'c.proposed_action', 'proposed') }}
{{ join_name('case_action', 'c.intended_action', 'intended') }}
