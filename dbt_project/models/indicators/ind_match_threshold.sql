-- H02b at other thresholds of the discipline-cluster map, for the range of its definition.
{% set thresholds = [0.3, 0.4, 0.5, 0.6, 0.7] -%}
{% set grains = ['city', 'institution'] -%}
with in_study as (
    select e.census_year, e.inst_code, e.person_key, d.key_cluster_strength as strength
    from {{ ref('fct_enrolment_census') }} as e
    inner join {{ ref('dim_discipline') }} as d on d.discipline_code = e.discipline_code
    where not d.is_h02_excluded
),

persons as (
    select census_year, {{ grain_columns(grains) }}, person_key, max(strength) as strength
    from in_study
    {{ by_grain(['census_year', 'person_key'], grains) }}
),

counted as (
    select
        census_year,
        grain,
        unit_code,
        count(*) as persons
        {%- for threshold in thresholds %},
        count(*) filter (where strength >= {{ threshold }}) as matched_{{ loop.index }}
        {%- endfor %}
    from persons
    group by census_year, grain, unit_code
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
