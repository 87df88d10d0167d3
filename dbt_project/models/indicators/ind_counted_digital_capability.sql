-- M18.2：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_digital_capability': 'report_year'}}) }}
with by_row_rows as (
    select
        f.report_year,
        f.inst_code,
        f.is_enabled,
        f.capability_code
    from {{ ref('fct_digital_capability') }} as f
    where f.report_year is not null and {{ touched('f.report_year') }}
),

by_row_together as (
    select
        report_year,
        inst_code,
        count(*) as m18_2_asked,
        count(*) filter (where is_enabled) as m18_2_enabled,
        count(*) filter (where capability_code in ('60', '70', '80')) as m18_2_teaching,
        count(*) filter (where capability_code in ('60', '70', '80') and is_enabled) as m18_2_teaching_enabled
    from by_row_rows
    group by report_year, inst_code
),

by_row as (
    select
        report_year,
        cast(report_year as text) as period_code,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m18_2_asked) as m18_2_asked,
        sum(m18_2_enabled) as m18_2_enabled,
        sum(m18_2_teaching) as m18_2_teaching,
        sum(m18_2_teaching_enabled) as m18_2_teaching_enabled
    from by_row_together
    group by grouping sets (
        (report_year),
        (report_year, inst_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M18.2c', 1, cast(c.m18_2_enabled as double precision), cast(c.m18_2_asked as double precision), cast(null as double precision)),
        ('M18.2d', 1, cast(c.m18_2_teaching_enabled as double precision), cast(c.m18_2_teaching as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
