-- How far an official value depends on its definition: the range over the official variant and its alternatives, for H02
-- over the thresholds of the map as well.
with defined as (
    select i.indicator_code, v.grain, v.unit_code, v.period_year, v.value
    from {{ ref('ind_value') }} as v
    inner join {{ ref('indicator') }} as i
        on i.variant_code = v.variant_code and i.definition_version = v.definition_version
    where i.variant_role in ('official', 'definition') and v.value is not null

    union all

    select 'H02', grain, unit_code, period_year, value
    from {{ ref('ind_match_threshold') }}
    where threshold <> {{ var('map_strength_minimum') }}
)

select
    indicator_code,
    grain,
    unit_code,
    period_year,
    min(value) as lowest_value,
    max(value) as highest_value,
    cast(count(*) as integer) as definition_count
from defined
group by indicator_code, grain, unit_code, period_year
