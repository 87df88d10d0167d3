{{ config(follows={'key': 'unit_code', 'rows': {'ind_value': 'unit_code', 'ind_match_threshold': 'unit_code'}}) }}
-- How far an official value depends on its definition: the range over the official variant and its alternatives, and
-- where the registry says so (threshold_range) over the thresholds of the map.
with definitions as (
    select *, {{ is_definition_in_force() }} as is_in_force
    from {{ ref('indicator') }}
),

-- an alternative that measures something else (an index beside a share) would be no range of one figure
comparable as (
    select a.indicator_code, a.variant_code, a.definition_version
    from definitions as a
    inner join definitions as o
        on o.indicator_code = a.indicator_code and o.value_kind = a.value_kind and o.unit_zh = a.unit_zh
    where o.is_official and a.is_in_force and a.variant_role in ('official', 'definition')
),

defined as (
    select c.indicator_code, v.grain, v.unit_code, v.period_year, v.value
    from {{ ref('ind_value') }} as v
    inner join comparable as c
        on c.variant_code = v.variant_code and c.definition_version = v.definition_version
    where v.value is not null and {{ touched('v.unit_code') }}

    union all

    select d.indicator_code, t.grain, t.unit_code, t.period_year, t.value
    from {{ ref('ind_match_threshold') }} as t
    inner join definitions as d on d.threshold_range and d.is_in_force
    where t.threshold <> {{ var('map_strength_minimum') }} and {{ touched('t.unit_code') }}
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
