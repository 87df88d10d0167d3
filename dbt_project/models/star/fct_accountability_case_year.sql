-- M19.2a, M19.2b: every case in every calendar year in which it was open, as it stood at the year's end (or on the run's date)
with years as (
    select calendar_year, least(date_on, {{ as_of() }}) as year_end_on
    from {{ ref('dim_date') }}
    where month_number = 12 and day_number = 31 and calendar_year between 2016 and {{ this_year() }}
),

terms as (
    select
        y.calendar_year,
        e.case_id,
        (array_agg(e.due_on order by e.event_on desc, e.event_id desc))[1] as due_on
    from years as y
    inner join {{ ref('fct_accountability_event') }} as e on e.event_on <= y.year_end_on and e.event_kind_code in ('40', '70')
    group by y.calendar_year, e.case_id
)

select
    y.calendar_year,
    c.case_id,
    c.inst_code,
    c.institution_key,
    c.degree_point_id,
    c.degree_point_key,
    c.issued_year = y.calendar_year as is_issued_in_year,
    c.days_to_action,
    c.closed_on is null or c.closed_on > y.year_end_on as is_open,
    case when c.action_on <= y.year_end_on then c.due_on else t.due_on end as due_on,
    coalesce(
        (c.closed_on is null or c.closed_on > y.year_end_on)
        and case when c.action_on <= y.year_end_on then c.due_on else t.due_on end < y.year_end_on,
        false
    ) as is_past_due
from years as y
inner join {{ ref('fct_accountability_case') }} as c
    on c.issued_on <= y.year_end_on and (c.closed_on is null or {{ year_of('c.closed_on') }} >= y.calendar_year)
left join terms as t on t.calendar_year = y.calendar_year and t.case_id = c.case_id
