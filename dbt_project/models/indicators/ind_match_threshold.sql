-- The match by persons at other thresholds of the discipline-cluster map, for the range of its definition.
{% set thresholds = [0.3, 0.4, 0.5, 0.6, 0.7] -%}
with counted as (
    select
        e.census_year,
        case when grouping(e.inst_code) = 1 then 'city' else 'institution' end as grain,
        case when grouping(e.inst_code) = 1 then '{{ var("city_code") }}' else e.inst_code end as unit_code,
        count(distinct e.person_key) as persons
        {%- for threshold in thresholds %},
        count(distinct e.person_key) filter (where d.key_cluster_strength >= {{ threshold }}) as matched_{{ loop.index }}
        {%- endfor %}
    from {{ ref('fct_enrolment_census') }} as e
    inner join {{ ref('dim_discipline') }} as d on d.discipline_code = e.discipline_code
    where not d.is_h02_excluded
    group by grouping sets ((e.census_year), (e.census_year, e.inst_code))
)

select
    t.threshold,
    c.grain,
    c.unit_code,
    cast(c.census_year as integer) as period_year,
    cast(t.matched as double precision) as numerator,
    cast(c.persons as double precision) as denominator,
    cast(t.matched as double precision) / c.persons as value
from counted as c
cross join lateral (
    values
    {%- for threshold in thresholds %}
        (cast({{ threshold }} as numeric), c.matched_{{ loop.index }}){{ ',' if not loop.last }}
    {%- endfor %}
) as t (threshold, matched)
