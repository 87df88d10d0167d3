with cycles as (
    select
        m.list_item_id,
        m.doc_version,
        m.cycle_label,
        max(m.due_on) as due_on,
        count(*) as milestone_count,
        count(*) filter (where m.is_done) as done_count,
        count(*) filter (where m.is_done and m.verified_on <= {{ as_of() }}) as verified_count,
        count(*) filter (where m.is_overdue) as overdue_count,
        max(m.done_on) filter (where m.is_done) as done_on,
        min(m.due_on) filter (where m.is_overdue) as overdue_since_on,
        cast(sum(m.weight_share * m.progress_share) / nullif(sum(m.weight_share), 0) as double precision) as progress_share
    from {{ ref('fct_list_milestone') }} as m
    where m.doc_version = '{{ var("plan_doc_version") }}'
    group by m.list_item_id, m.doc_version, m.cycle_label
),

-- quantities that a source entity of this warehouse counts: municipal outstanding theses (X09), per calendar year
counted as (
    select 'X09' as list_item_id, {{ year_of('granted_on') }} as count_year, count(*) as counted
    from {{ ref('fct_honour') }}
    where honour_code = '02' and level_code = '23' and granted_on <= {{ as_of() }}
    group by 2
),

progressed as (
    select
        i.*,
        c.cycle_label,
        c.milestone_count,
        c.done_count,
        c.verified_count,
        c.overdue_count,
        c.done_on,
        c.progress_share,
        coalesce(c.due_on, i.due_on) as cycle_due_on,
        {{ days_between('c.overdue_since_on', as_of()) }} as days_late,
        case when counted.counted is null and i.list_item_id = 'X09' then 0 else counted.counted end as quantity_count,
        coalesce(c.due_on, i.due_on) < {{ as_of() }} as is_due
    from {{ ref('dim_list_item') }} as i
    left join cycles as c on c.list_item_id = i.list_item_id and c.doc_version = i.doc_version
    left join counted on counted.list_item_id = i.list_item_id and counted.count_year = {{ year_of('c.due_on') }}
    where i.doc_version = '{{ var("plan_doc_version") }}'
),

-- deadline rule: green only when done and verified; a milestone that is due and not done is red, however much of it is done
judged as (
    select
        p.*,
        case
            when milestone_count is null then 'GREY'
            when overdue_count > 0 then 'RED'
            when verified_count = milestone_count then 'GREEN'
            when done_count = milestone_count and {{ days_between('done_on', as_of()) }} > 30 then 'AMBER'
            when done_count = milestone_count then 'GREY'
            when {{ days_between(as_of(), 'cycle_due_on') }} <= 60 and coalesce(progress_share, 0) < 0.8 then 'AMBER'
            else 'GREY'
        end as deadline_status_code,
        case
            when milestone_count is null then 'NO-DATA'
            when overdue_count > 0 or verified_count = milestone_count then null
            when done_count = milestone_count then 'UNVERIFIED-DONE'
            when {{ days_between(as_of(), 'cycle_due_on') }} <= 60 and coalesce(progress_share, 0) < 0.8 then null
            else 'NOT-DUE'
        end as deadline_reason_code,
        {{ count_state('quantity_count', 'quantity_min', 'quantity_max', 'is_due') }} as quantity_state_code
    from progressed as p
)

select
    judged.list_item_id as list_item_code,
    judged.item_name as list_item_zh,
    {{ label_en('plan_item.name_en') }} as list_item_en,
    judged.doc_version,
    judged.list_kind_code,
    judged.list_kind_name as list_kind_zh,
    {{ label_en('list_kind.name_en') }} as list_kind_en,
    judged.period_kind_code,
    judged.period_kind_name as period_kind_zh,
    {{ label_en('period_kind.name_en') }} as period_kind_en,
    coalesce(cycle_label, '-') as cycle_code,
    cycle_due_on as due_on,
    lead_dept,
    coalesce(cast(milestone_count as integer), 0) as milestone_count,
    coalesce(cast(done_count as integer), 0) as done_count,
    coalesce(cast(verified_count as integer), 0) as verified_count,
    coalesce(cast(overdue_count as integer), 0) as overdue_count,
    progress_share,
    coalesce(days_late, 0) as days_late,
    deadline_status_code,
    deadline_reason_code,
    deadline.status_zh as deadline_status_zh,
    cast(judged.quantity_min as integer) as quantity_min,
    cast(judged.quantity_max as integer) as quantity_max,
    judged.quantity_unit,
    cast(quantity_count as integer) as quantity_count,
    quantity_state_code,
    {{ count_status('quantity_state_code') }} as quantity_status_code
from judged
inner join {{ ref('indicator_status') }} as deadline
    on deadline.status_code = judged.deadline_status_code
    and coalesce(deadline.status_reason_code, '') = coalesce(judged.deadline_reason_code, '')
left join {{ ref('action_item') }} as plan_item on plan_item.item_code = judged.list_item_id
{{ join_name('list_kind', 'judged.list_kind_code', 'list_kind') }}
{{ join_name('period_kind', 'judged.period_kind_code', 'period_kind') }}
