-- M18.1: every institution and calendar year: is its platform connected, did it deliver on time, does it cover the whole course of training
with years as (
    select distinct calendar_year, least({{ make_date('calendar_year', 12, 31) }}, {{ as_of() }}) as last_on
    from {{ ref('dim_date') }}
    where calendar_year between 2026 and {{ this_year() }}
),

delivered as (
    select
        inst_code,
        calendar_year,
        count(*) as collection_count,
        count(*) filter (where is_whole) as whole_count
    from {{ ref('fct_delivery') }}
    group by inst_code, calendar_year
),

covered as (
    select inst_code, report_year as calendar_year, count(*) as stage_count
    from {{ ref('fct_digital_capability') }}
    where is_enabled and capability_code in ('10', '20', '30')
    group by inst_code, report_year
)

select
    y.calendar_year,
    i.inst_code,
    i.institution_key,
    i.connected_on,
    coalesce(i.connected_on <= y.last_on, false) as is_connected,
    cast(coalesce(d.collection_count, 0) as integer) as collection_count,
    cast(coalesce(d.whole_count, 0) as integer) as whole_count,
    coalesce(d.whole_count >= {{ var('delivery_share_minimum') }} * d.collection_count, false) as is_on_time,
    coalesce(c.stage_count = 3, false) as is_whole_process
from years as y
cross join {{ ref('dim_institution') }} as i
left join delivered as d on d.inst_code = i.inst_code and d.calendar_year = y.calendar_year
left join covered as c on c.inst_code = i.inst_code and c.calendar_year = y.calendar_year
where {{ is_institution_on('y.last_on') }}
