-- M16.2：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_supervisor_appointment': 'appointed_year'}}) }}
with by_row_rows as (
    select
        f.appointed_year,
        f.inst_code,
        f.is_from_sichuan
    from {{ ref('fct_supervisor_appointment') }} as f
    where f.appointed_year is not null and {{ touched('f.appointed_year') }}
),

by_row_together as (
    select
        appointed_year,
        inst_code,
        count(*) filter (where is_from_sichuan) as m16_2_appointments
    from by_row_rows
    group by appointed_year, inst_code
),

by_row as (
    select
        appointed_year,
        cast(appointed_year as text) as period_code,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m16_2_appointments) as m16_2_appointments
    from by_row_together
    group by grouping sets (
        (appointed_year),
        (appointed_year, inst_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M16.2h', 1, cast(c.m16_2_appointments as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
