-- H02a: degree points active on the census date, by their last event on or before it, in disciplines that are in scope
with censuses as (
    select date_on as census_on, calendar_year as census_year
    from {{ ref('dim_date') }}
    where is_census_date and calendar_year >= 2016 and date_on <= {{ as_of() }}
),

state_events as (
    select
        c.census_year,
        e.degree_point_id,
        e.event_type in ('11', '12', '13', '32', '42') as is_active,
        row_number() over (
            partition by c.census_year, e.degree_point_id order by e.event_on desc, e.event_id desc
        ) as recency
    from censuses as c
    inner join {{ ref('fct_degree_point_event') }} as e on e.event_on <= c.census_on
    where e.event_type in ('11', '12', '13', '21', '22', '31', '32', '33', '41', '42')
)

select
    c.census_on,
    c.census_year,
    p.inst_code,
    p.institution_key,
    p.degree_point_id,
    p.degree_level,
    p.degree_type,
    p.discipline_code,
    d.key_cluster_strength >= {{ var('map_strength_minimum') }} as is_discipline_matched
from censuses as c
inner join {{ ref('dim_degree_point') }} as p on p.authorised_on <= c.census_on
inner join {{ ref('dim_discipline') }} as d on d.discipline_code = p.discipline_code and not d.is_h02_excluded
left join state_events as s
    on s.census_year = c.census_year and s.degree_point_id = p.degree_point_id and s.recency = 1
where p.is_current and p.degree_level in ('1', '2') and coalesce(s.is_active, true)
