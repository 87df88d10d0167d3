-- M04: every key cluster in every calendar year: whether a demand list of the last twelve months was there at the year's end (or on the run's date)
with years as (
    select calendar_year, least(date_on, {{ as_of() }}) as year_end_on
    from {{ ref('dim_date') }}
    where month_number = 12 and day_number = 31 and calendar_year between 2016 and {{ this_year() }}
)

select
    y.calendar_year,
    c.cluster_code,
    count(distinct d.issuing_dept) as department_count,
    max(d.published_on) as published_on,
    count(d.demand_id) > 0 as is_covered
from years as y
inner join {{ ref('dim_cluster') }} as c on c.is_key
left join {{ ref('fct_talent_demand') }} as d
    on d.cluster_code = c.cluster_code
    and d.published_on <= y.year_end_on
    and d.published_on > cast(y.year_end_on - interval '1 year' as date)
group by y.calendar_year, c.cluster_code
