-- M16.1: every institution in every calendar year: the pairings that stand at its end; of the running year, on the run's date
with years as (
    select calendar_year, least(date_on, {{ as_of() }}) as last_on
    from {{ ref('dim_date') }}
    where month_number = 12 and day_number = 31 and calendar_year between 2023 and {{ this_year() }}
),

standing as (
    select
        y.calendar_year,
        p.inst_code,
        {% for level in (1, 2, 3) -%}
        count(*) filter (where p.pairing_level_code = '{{ level }}') as level_{{ level }}_count,
        {% endfor -%}
        sum(p.demand_count) as demand_count,
        sum(p.result_count) as result_count
    from years as y
    inner join {{ ref('fct_district_pairing') }} as p
        on p.signed_on <= y.last_on and (p.valid_to is null or p.valid_to >= y.last_on)
    group by y.calendar_year, p.inst_code
)

select
    y.calendar_year,
    i.inst_code,
    i.institution_key,
    {% for level in (1, 2, 3) -%}
    cast(coalesce(s.level_{{ level }}_count, 0) as integer) as level_{{ level }}_count,
    {% endfor -%}
    coalesce(s.level_1_count, 0) > 0 as has_district,
    coalesce(s.level_1_count, 0) > 0 and s.level_2_count > 0 and s.level_3_count > 0 as has_all_levels,
    cast(coalesce(s.demand_count, 0) as bigint) as demand_count,
    cast(coalesce(s.result_count, 0) as bigint) as result_count
from years as y
cross join {{ ref('dim_institution') }} as i
left join standing as s on s.calendar_year = y.calendar_year and s.inst_code = i.inst_code
where {{ is_institution_on('y.last_on') }}
