-- M02.2, M07.3：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_supervisor_year': 'calendar_year'}}) }}
with by_row_rows as (
    select
        f.calendar_year,
        f.inst_code,
        f.is_ideology_assessed,
        f.is_ideology_failed,
        f.is_trained
    from {{ ref('fct_supervisor_year') }} as f
    where f.calendar_year is not null and {{ touched('f.calendar_year') }}
),

by_row_together as (
    select
        calendar_year,
        inst_code,
        count(*) as m02_2_active,
        count(*) filter (where is_ideology_assessed) as m02_2_assessed,
        count(*) filter (where is_ideology_failed) as m02_2_failed,
        count(*) filter (where is_trained) as m07_3_trained
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
        sum(m02_2_active) as m02_2_active,
        sum(m02_2_assessed) as m02_2_assessed,
        sum(m02_2_failed) as m02_2_failed,
        sum(m07_3_trained) as m07_3_trained
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
        ('M02.2', 1, cast(c.m02_2_assessed as double precision), cast(c.m02_2_active as double precision), cast(null as double precision)),
        ('M02.2f', 1, cast(c.m02_2_failed as double precision), cast(c.m02_2_assessed as double precision), cast(null as double precision)),
        ('M07.3', 1, cast(c.m07_3_trained as double precision), cast(c.m02_2_active as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
