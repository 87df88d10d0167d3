-- M16.1：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_pairing_year': 'calendar_year'}}) }}
with by_row_rows as (
    select
        f.calendar_year,
        f.inst_code,
        f.has_district,
        f.has_all_levels,
        f.level_1_count,
        f.level_2_count,
        f.level_3_count,
        f.demand_count,
        f.result_count
    from {{ ref('fct_pairing_year') }} as f
    where f.calendar_year is not null and {{ touched('f.calendar_year') }}
),

by_row_together as (
    select
        calendar_year,
        inst_code,
        count(*) as m16_1_units,
        count(*) filter (where has_district) as m16_1_with_district,
        count(*) filter (where has_all_levels) as m16_1_with_all,
        coalesce(sum(level_1_count), 0) as m16_1_districts,
        coalesce(sum(level_2_count), 0) as m16_1_industries,
        coalesce(sum(level_3_count), 0) as m16_1_enterprises,
        coalesce(sum(demand_count), 0) as m16_1_demands,
        coalesce(sum(result_count), 0) as m16_1_results
    from by_row_rows
    group by calendar_year, inst_code
),

by_row as (
    select
        calendar_year,
        cast(calendar_year as text) as period_code,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m16_1_units) as m16_1_units,
        sum(m16_1_with_district) as m16_1_with_district,
        sum(m16_1_with_all) as m16_1_with_all,
        sum(m16_1_districts) as m16_1_districts,
        sum(m16_1_industries) as m16_1_industries,
        sum(m16_1_enterprises) as m16_1_enterprises,
        sum(m16_1_demands) as m16_1_demands,
        sum(m16_1_results) as m16_1_results
    from by_row_together
    group by grouping sets (
        (calendar_year),
        (calendar_year, inst_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M16.1', 1, cast(c.m16_1_with_district as double precision), cast(c.m16_1_units as double precision), cast(null as double precision)),
        ('M16.1t', 1, cast(c.m16_1_with_all as double precision), cast(c.m16_1_units as double precision), cast(null as double precision)),
        ('M16.1a', 1, cast(c.m16_1_districts as double precision), cast(null as double precision), cast(null as double precision)),
        ('M16.1b', 1, cast(c.m16_1_industries as double precision), cast(null as double precision), cast(null as double precision)),
        ('M16.1c', 1, cast(c.m16_1_enterprises as double precision), cast(null as double precision), cast(null as double precision)),
        ('M16.1r', 1, cast(c.m16_1_results as double precision), cast(c.m16_1_demands as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
