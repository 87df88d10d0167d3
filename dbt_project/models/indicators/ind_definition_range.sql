-- How far an official value depends on its definition: the range over the official variant and its alternatives.
select
    i.indicator_code,
    v.grain,
    v.unit_code,
    v.period_year,
    min(v.value) as lowest_value,
    max(v.value) as highest_value,
    cast(count(*) as integer) as definition_count
from {{ ref('ind_value') }} as v
inner join {{ ref('indicator') }} as i
    on i.variant_code = v.variant_code and i.definition_version = v.definition_version
where i.variant_role in ('official', 'definition') and v.value is not null
group by i.indicator_code, v.grain, v.unit_code, v.period_year
