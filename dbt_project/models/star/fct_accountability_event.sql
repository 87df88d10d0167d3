-- Steps of the cases that are in fct_accountability_case
select
    e.event_id,
    e.case_id,
    c.inst_code,
    c.institution_key,
    c.degree_point_id,
    e.event_kind as event_kind_code,
    event_kind.name_zh as event_kind_name,
    e.event_on,
    {{ days_between('c.triggered_on', 'e.event_on') }} as days_since_trigger,
    e.actor_role as actor_role_code,
    actor_role.name_zh as actor_role_name,
    e.action_code,
    action.name_zh as action_name,
    e.result_code as recheck_result_code,
    recheck.name_zh as recheck_result_name,
    e.doc_no,
    e.snapshot_ref,
    e.due_on,
    e.text_digest
from {{ source('accepted', 'accountability_event') }} as e
inner join {{ ref('fct_accountability_case') }} as c on c.case_id = e.case_id
{{ join_name('accountability_event_kind', 'e.event_kind', 'event_kind') }}
{{ join_name('accountability_actor', 'e.actor_role', 'actor_role') }}
{{ join_name('accountability_action', 'e.action_code', 'action') }}
{{ join_name('accountability_recheck', 'e.result_code', 'recheck') }}
where e.event_on <= {{ as_of() }}
