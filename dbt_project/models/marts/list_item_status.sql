with cycles as (
    select
        p.*,
        p.deadline_status_code = 'RED' as is_open_breach,
        case when p.deadline_status_code <> 'GREY' then p.due_on end as deadline_judged_on,
        case when p.quantity_status_code <> 'GREY' then p.due_on end as quantity_judged_on
    from {{ ref('list_progress') }} as p
),

-- the oldest cycle that is still overdue decides; without one the newest that has a colour, else the next that is due
ranked as (
    select
        c.*,
        row_number() over (
            partition by list_item_code, doc_version
            order by
                case when is_open_breach then 0 when deadline_judged_on is not null then 1 when not is_due then 2 else 3 end,
                case when is_open_breach then due_on end,
                deadline_judged_on desc nulls last,
                due_on
        ) as deadline_rank,
        row_number() over (
            partition by list_item_code, doc_version
            order by
                case when quantity_judged_on is not null then 0 when plan_quantity_min is not null and not is_due then 1 when plan_quantity_min is not null then 2 else 3 end,
                quantity_judged_on desc nulls last,
                due_on
        ) as quantity_rank
    from cycles as c
),

totals as (
    select
        list_item_code,
        doc_version,
        count(*) as cycle_count,
        count(*) filter (where is_due) as due_cycle_count,
        count(*) filter (where done_on is not null) as done_cycle_count,
        count(*) filter (where is_open_breach) as overdue_cycle_count,
        max(days_late) filter (where is_open_breach) as days_late,
        min(due_on) filter (where not is_due) as next_due_on,
        max(last_reported_on) as last_reported_on
    from cycles
    group by list_item_code, doc_version
),

-- reports whose label names no year of the plan are evidence of nothing; they are counted, not lost
stray as (
    select m.list_item_id, v.doc_version, count(*) as milestone_count
    from {{ ref('plan_version') }} as v
    inner join {{ ref('fct_list_milestone') }} as m on m.doc_version = v.milestones_of
    where not exists (
        select 1
        from cycles as c
        where c.list_item_code = m.list_item_id
            and c.doc_version = v.doc_version
            and (c.period_kind_code = 'ONCE' or c.cycle_code = cast(m.cycle_year as text))
    )
    group by m.list_item_id, v.doc_version
),

-- the loop of the newest cycle that has begun
loops as (
    select l.*, row_number() over (partition by l.list_item_code, l.doc_version order by l.cycle_code desc) as recency
    from {{ ref('list_loop') }} as l
),

-- how many institutions carry the item, and what was approved in that cycle
assigned as (
    select list_item_id, doc_version, count(distinct inst_code) as institution_count
    from {{ ref('fct_list_assignment') }}
    where is_in_force and inst_code is not null
    group by list_item_id, doc_version
),

approved as (
    select
        l.list_item_code,
        l.doc_version,
        count(p.list_project_id) as project_count,
        count(p.list_project_id) filter (where not p.is_funded) as unfunded_count
    from loops as l
    inner join cycles as c
        on c.list_item_code = l.list_item_code and c.doc_version = l.doc_version and c.cycle_code = l.cycle_code
    inner join {{ ref('fct_list_project') }} as p
        on p.list_item_id = l.list_item_code
        and p.cycle_year <= cast(l.cycle_code as integer)
        and p.cycle_year >= case when c.period_kind_code = 'ONCE' then {{ var('plan_start')[:4] }} else cast(l.cycle_code as integer) end
    where l.recency = 1
    group by l.list_item_code, l.doc_version
)

select
    d.list_item_code,
    d.list_item_zh,
    d.list_item_en,
    d.doc_version,
    d.is_plan_in_force,
    d.list_kind_code,
    d.list_kind_zh,
    d.list_kind_en,
    d.period_kind_code,
    d.period_kind_zh,
    d.period_kind_en,
    d.lead_dept,
    d.support_depts,
    cast(t.cycle_count as integer) as cycle_count,
    cast(t.due_cycle_count as integer) as due_cycle_count,
    cast(t.done_cycle_count as integer) as done_cycle_count,
    cast(t.overdue_cycle_count as integer) as overdue_cycle_count,
    t.next_due_on,
    t.last_reported_on,
    cast(coalesce(stray.milestone_count, 0) as integer) as stray_milestone_count,
    d.cycle_code as deadline_cycle_code,
    d.due_on as deadline_on,
    coalesce(t.days_late, 0) as days_late,
    d.progress_share,
    d.deadline_status_code,
    d.deadline_reason_code,
    d.deadline_status_zh,
    case when q.plan_quantity_min is not null then q.cycle_code end as quantity_cycle_code,
    q.plan_quantity_min,
    q.plan_quantity_max,
    q.quantity_min,
    q.quantity_max,
    q.quantity_unit,
    q.quantity_count,
    q.quantity_state_code,
    q.quantity_status_code,
    q.quantity_status_zh,
    loops.stage_code,
    {{ label_zh('loops.stage_zh') }} as stage_zh,
    loops.stage_age_days,
    loops.loop_state_code,
    loops.loop_state_zh,
    coalesce(loops.is_stuck, false) as is_stuck,
    cast(coalesce(assigned.institution_count, 0) as integer) as assigned_institution_count,
    cast(coalesce(approved.project_count, 0) as integer) as project_count,
    cast(coalesce(approved.unfunded_count, 0) as integer) as unfunded_project_count,
    {{ worse_status('d.deadline_status_code', 'q.quantity_status_code') }} as status_code,
    colour.name_zh as status_zh,
    colour.name_en as status_en,
    colour.status_order,
    colour.colour_hex as status_colour,
    {{ provenance_columns() }}
from ranked as d
inner join ranked as q
    on q.list_item_code = d.list_item_code and q.doc_version = d.doc_version and q.quantity_rank = 1
inner join totals as t on t.list_item_code = d.list_item_code and t.doc_version = d.doc_version
{{ join_status(worse_status('d.deadline_status_code', 'q.quantity_status_code')) }}
left join loops on loops.list_item_code = d.list_item_code and loops.doc_version = d.doc_version and loops.recency = 1
left join assigned on assigned.list_item_id = d.list_item_code and assigned.doc_version = d.doc_version
left join approved on approved.list_item_code = d.list_item_code and approved.doc_version = d.doc_version
left join stray on stray.list_item_id = d.list_item_code and stray.doc_version = d.doc_version
where d.deadline_rank = 1
