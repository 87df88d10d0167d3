-- M21: every item of the plan in force in every year of the plan that has begun: whether somebody answers for it, what was set for the year and proven
with years as (
    select calendar_year, least(date_on, {{ as_of() }}) as year_end_on
    from {{ ref('dim_date') }}
    where month_number = 12 and day_number = 31
        and calendar_year between {{ var('plan_start')[:4] }} and {{ this_year() }}
),

milestones as (
    select
        y.calendar_year,
        m.list_item_key,
        count(*) as milestone_count,
        bool_or(m.evidence_uri is not null and m.done_on <= y.year_end_on) as has_evidence
    from years as y
    inner join {{ ref('fct_list_milestone') }} as m on m.list_item_key is not null
    inner join {{ ref('dim_list_item') }} as i on i.list_item_key = m.list_item_key
    where m.cycle_year = y.calendar_year or (i.period_kind_code = 'ONCE' and m.cycle_year >= y.calendar_year)
    group by y.calendar_year, m.list_item_key
),

stages as (
    select
        y.calendar_year,
        s.list_item_key,
        bool_or(
            s.entered_on <= y.year_end_on and coalesce(s.done_on > y.year_end_on, true)
            and {{ days_between('s.entered_on', 'y.year_end_on') }} > {{ var('stage_days_maximum') }}
        ) as is_stuck
    from years as y
    inner join {{ ref('fct_list_stage') }} as s on s.entered_on is not null
    group by y.calendar_year, s.list_item_key
)

select
    y.calendar_year,
    i.list_item_key,
    i.list_item_id,
    i.lead_dept is not null as has_lead,
    coalesce(m.milestone_count, 0) > 0 as has_milestone,
    coalesce(m.has_evidence, false) as has_evidence,
    i.lead_dept is not null and coalesce(m.milestone_count, 0) > 0 and coalesce(m.has_evidence, false) as is_managed,
    s.list_item_key is not null as has_loop,
    coalesce(s.is_stuck, false) as is_stuck
from years as y
inner join {{ ref('dim_list_item') }} as i on i.doc_version = '{{ var("plan_doc_version") }}'
left join milestones as m on m.calendar_year = y.calendar_year and m.list_item_key = i.list_item_key
left join stages as s on s.calendar_year = y.calendar_year and s.list_item_key = i.list_item_key
