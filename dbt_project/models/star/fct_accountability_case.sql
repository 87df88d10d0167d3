-- The office's record of cases about institutions and degree points. Cases about persons (a supervisor, or misconduct as the
-- reason) are counted in fct_accountability_year and are not here: the star is read by analysts.
with plans as (
    select degree_point_id, plan_year, sum(quota_count) as quota_count
    from {{ ref('fct_admission_plan') }}
    where is_latest_revision
    group by degree_point_id, plan_year
),

cuts as (
    select case_id, max(event_on) as cut_on
    from {{ source('accepted', 'accountability_event') }}
    where action_code = '50' and event_on <= {{ as_of() }}
    group by case_id
),

cases as (
    select
        c.*,
        case when c.target_kind = 'DP' then c.target_id end as degree_point_id,
        case when c.quota_cut > 0 then coalesce(cuts.cut_on, c.action_on) end as quota_cut_on
    from {{ source('accepted', 'accountability_case') }} as c
    left join cuts on cuts.case_id = c.case_id
    where c.target_kind <> 'SUP' and c.trigger_code <> 'MISC' and c.issued_on <= {{ as_of() }}
)

select
    c.case_id,
    c.target_kind as target_kind_code,
    target_kind.name_zh as target_kind_name,
    {{ institution_of('c.target_id') }} as inst_code,
    {{ key(institution_of('c.target_id')) }} as institution_key,
    c.degree_point_id,
    degree_point_then.degree_point_key,
    degree_point_now.discipline_code,
    degree_point_now.degree_level,
    degree_point_now.degree_type,
    c.trigger_code,
    trigger_reason.name_zh as trigger_name,
    c.trigger_ref,
    c.triggered_on,
    c.trigger_snapshot_id,
    c.action_code,
    action.name_zh as action_name,
    c.action_on,
    c.issued_on,
    {{ year_of('c.issued_on') }} as issued_year,
    {{ days_between('c.triggered_on', 'c.issued_on') }} as days_to_action,
    c.due_on,
    c.closed_on,
    c.closed_on is null as is_open,
    coalesce(c.closed_on is null and c.due_on < {{ as_of() }}, false) as is_past_due,
    c.recheck_result_code,
    recheck.name_zh as recheck_result_name,
    c.quota_cut as quota_cut_count,
    c.quota_cut_on,
    cast(coalesce(before_cut.quota_count, 0) as integer) as quota_before_count,
    cast(coalesce(after_cut.quota_count, 0) as integer) as quota_after_count,
    case
        when c.quota_cut_on is null or c.degree_point_id is null or {{ year_of('c.quota_cut_on') }} >= {{ this_year() }} then null
        else coalesce(after_cut.quota_count, 0) <= coalesce(before_cut.quota_count, 0) - c.quota_cut
    end as is_quota_cut_done,
    c.doc_no
from cases as c
{{ join_versions('dim_degree_point', 'c.degree_point_id', 'c.issued_on') }}
left join plans as before_cut
    on before_cut.degree_point_id = c.degree_point_id and before_cut.plan_year = {{ year_of('c.quota_cut_on') }}
left join plans as after_cut
    on after_cut.degree_point_id = c.degree_point_id and after_cut.plan_year = {{ year_of('c.quota_cut_on') }} + 1
{{ join_name('accountability_target', 'c.target_kind', 'target_kind') }}
{{ join_name('accountability_trigger', 'c.trigger_code', 'trigger_reason') }}
{{ join_name('accountability_action', 'c.action_code', 'action') }}
{{ join_name('accountability_recheck', 'c.recheck_result_code', 'recheck') }}
