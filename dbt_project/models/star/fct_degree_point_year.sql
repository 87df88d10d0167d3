-- M03, M05: every degree point in every calendar year: whether its last event up to the census and up to the year's end (or the run's
-- date) left it in force, and what changed in the year
with years as (
    select
        calendar_year,
        {{ make_date('calendar_year', 9, 30) }} as census_on,
        least(date_on, {{ as_of() }}) as year_end_on
    from {{ ref('dim_date') }}
    where month_number = 12 and day_number = 31 and calendar_year between 2016 and {{ this_year() }}
),

states as (
    select
        y.calendar_year,
        e.degree_point_id,
        (array_agg(e.event_type in ('11', '12', '13', '32', '42') order by e.event_on desc, e.event_id desc)
            filter (where e.event_on <= y.census_on))[1] as was_in_force_at_census,
        (array_agg(e.event_type in ('11', '12', '13', '32', '42') order by e.event_on desc, e.event_id desc))[1] as was_in_force
    from years as y
    inner join {{ ref('fct_degree_point_event') }} as e
        on e.event_on <= y.year_end_on and e.event_type in ('11', '12', '13', '21', '22', '31', '32', '33', '41', '42')
    group by y.calendar_year, e.degree_point_id
),

changes as (
    select
        degree_point_id,
        {{ year_of('event_on') }} as calendar_year,
        bool_or(event_type in ('11', '12', '13')) as is_granted,
        bool_or(event_type = '22') as is_withdrawn
    from {{ ref('fct_degree_point_event') }}
    where event_on <= {{ as_of() }}
    group by degree_point_id, {{ year_of('event_on') }}
)

select
    y.calendar_year,
    p.degree_point_id,
    p.inst_code,
    p.institution_key,
    p.degree_level,
    p.degree_type,
    p.discipline_code,
    p.is_joint_built,
    y.census_on <= {{ as_of() }} and p.authorised_on <= y.census_on
        and coalesce(s.was_in_force_at_census, true) as is_in_force_at_census,
    p.authorised_on <= y.year_end_on and coalesce(s.was_in_force, true) as is_in_force,
    coalesce(c.is_granted, false) as is_granted,
    coalesce(c.is_withdrawn, false) as is_withdrawn
from years as y
inner join {{ ref('dim_degree_point') }} as p on p.is_current and p.authorised_on <= y.year_end_on
left join states as s on s.calendar_year = y.calendar_year and s.degree_point_id = p.degree_point_id
left join changes as c on c.calendar_year = y.calendar_year and c.degree_point_id = p.degree_point_id
