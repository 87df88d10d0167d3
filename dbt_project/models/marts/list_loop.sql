with cycles as (
    select p.*
    from {{ ref('list_progress') }} as p
    where coalesce(p.deadline_reason_code, '') <> 'NO-DEADLINE'
        and (p.period_kind_code = 'ONCE' or cast(p.cycle_code as integer) <= {{ this_year() }})
),

stages as (
    select
        c.list_item_code,
        c.doc_version as plan_version,
        c.cycle_code,
        s.*,
        max(s.last_reported_on) over (partition by c.list_item_code, c.doc_version, c.cycle_code) as loop_reported_on,
        row_number() over (
            partition by c.list_item_code, c.doc_version, c.cycle_code
            order by case when s.entered_on <= {{ as_of() }} then 0 else 1 end, s.stage_code desc, s.cycle_year desc
        ) as recency,
        row_number() over (
            partition by c.list_item_code, c.doc_version, c.cycle_code, s.stage_code order by s.cycle_year desc
        ) as stage_recency
    from cycles as c
    inner join {{ ref('plan_version') }} as v on v.doc_version = c.doc_version
    inner join {{ ref('fct_list_stage') }} as s
        on s.list_item_id = c.list_item_code
        and s.doc_version = v.milestones_of
        and (c.period_kind_code = 'ONCE' or s.cycle_year = cast(c.cycle_code as integer))
),

loops as (
    select
        c.*,
        reached.stage_code,
        reached.stage_name,
        reached.entered_on,
        reached.done_on as stage_done_on,
        reached.milestone_count as stage_milestone_count,
        reached.done_count as stage_done_count,
        reached.loop_reported_on,
        {{ days_between('reached.entered_on', as_of()) }} as stage_age_days,
        evaluation.opened_by_code,
        evaluation.opened_by_id,
        evaluation.done_on as evaluated_on,
        improvement.done_on as improved_on,
        improvement.improvement_verified_on
    from cycles as c
    left join stages as reached
        on reached.list_item_code = c.list_item_code and reached.plan_version = c.doc_version
        and reached.cycle_code = c.cycle_code and reached.recency = 1
    {%- for alias, stage in {'evaluation': '30', 'improvement': '40'}.items() %}
    left join stages as {{ alias }}
        on {{ alias }}.list_item_code = c.list_item_code and {{ alias }}.plan_version = c.doc_version
        and {{ alias }}.cycle_code = c.cycle_code and {{ alias }}.stage_code = '{{ stage }}' and {{ alias }}.stage_recency = 1
    {%- endfor %}
),

stated as (
    select
        l.*,
        case
            when stage_code is null then 'NOT-STARTED'
            when improvement_verified_on is not null then 'CLOSED'
            when stage_code = '40' and stage_done_on is not null then 'UNVERIFIED'
            when stage_age_days > {{ var('stage_days_maximum') }} then 'STUCK'
            else 'MOVING'
        end as loop_state_code,
        case when improvement_verified_on is null then stage_age_days > {{ var('stage_days_maximum') }} else false end as is_stuck
    from loops as l
)

select
    s.list_item_code,
    s.list_item_zh,
    s.list_item_en,
    s.doc_version,
    s.is_plan_in_force,
    s.list_kind_code,
    s.list_kind_zh,
    s.list_kind_en,
    s.lead_dept,
    s.cycle_code,
    s.due_on,
    s.stage_code,
    {{ label_zh('stage.name_zh') }} as stage_zh,
    {{ label_en('stage.name_en') }} as stage_en,
    s.entered_on as stage_entered_on,
    cast(s.stage_age_days as integer) as stage_age_days,
    cast(s.stage_milestone_count as integer) as stage_milestone_count,
    cast(s.stage_done_count as integer) as stage_done_count,
    s.opened_by_code as evaluation_opened_by_code,
    {{ label_zh('opened_by.name_zh') }} as evaluation_opened_by_zh,
    {{ label_en('opened_by.name_en') }} as evaluation_opened_by_en,
    s.opened_by_id as evaluation_opened_by_id,
    s.evaluated_on,
    s.improved_on,
    s.improvement_verified_on,
    s.loop_reported_on as last_reported_on,
    s.loop_state_code,
    loop_state.name_zh as loop_state_zh,
    loop_state.name_en as loop_state_en,
    coalesce(s.is_stuck, false) as is_stuck,
    coalesce(s.is_stuck, false) and {{ days_between('s.loop_reported_on', as_of()) }} > {{ var('stage_days_maximum') }} as is_stuck_unseen,
    {{ provenance_columns() }}
from stated as s
inner join {{ ref('code') }} as loop_state on loop_state.code_set = 'list_loop_state' and loop_state.code = s.loop_state_code
{{ join_name('list_stage', 's.stage_code', 'stage') }}
{{ join_name('list_stage_opener', 's.opened_by_code', 'opened_by') }}
