-- M20.2, M20.4：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_resource_year': 'fiscal_year'}}) }}
with by_row_rows as (
    select
        f.fiscal_year,
        f.inst_code,
        f.staff_fte_3y,
        f.is_three_years,
        f.degree_count_3y,
        f.training_spending_3y_cny,
        f.receipts_3y_cny,
        f.frontline_count_3y,
        f.is_cost_reported
    from {{ ref('fct_resource_year') }} as f
    where f.fiscal_year is not null and {{ touched('f.fiscal_year') }}
),

by_row_together as (
    select
        fiscal_year,
        inst_code,
        coalesce(sum(staff_fte_3y) filter (where is_three_years), 0) as m20_2_staff,
        coalesce(sum(degree_count_3y) filter (where is_three_years), 0) as m20_2_degrees,
        coalesce(sum(training_spending_3y_cny) filter (where is_three_years), 0) as m20_2_spending,
        coalesce(sum(receipts_3y_cny) filter (where is_three_years), 0) as m20_2_receipts,
        coalesce(sum(frontline_count_3y) filter (where is_three_years), 0) as m20_2_frontline,
        count(*) as m20_4_institutions,
        count(*) filter (where is_cost_reported) as m20_4_reported
    from by_row_rows
    group by fiscal_year, inst_code
),

by_row as (
    select
        fiscal_year,
        cast(fiscal_year as text) as period_code,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m20_2_staff) as m20_2_staff,
        sum(m20_2_degrees) as m20_2_degrees,
        sum(m20_2_spending) as m20_2_spending,
        sum(m20_2_receipts) as m20_2_receipts,
        sum(m20_2_frontline) as m20_2_frontline,
        sum(m20_4_institutions) as m20_4_institutions,
        sum(m20_4_reported) as m20_4_reported
    from by_row_together
    group by grouping sets (
        (fiscal_year),
        (fiscal_year, inst_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M20.2', 1, cast(c.m20_2_degrees as double precision), cast(c.m20_2_staff as double precision), cast(null as double precision)),
        ('M20.2s', 1, cast(c.m20_2_spending as double precision), cast(c.m20_2_degrees as double precision), cast(null as double precision)),
        ('M20.2r', 1, cast(c.m20_2_receipts as double precision), cast(c.m20_2_staff as double precision), cast(null as double precision)),
        ('M20.2f', 1, cast(c.m20_2_frontline as double precision), cast(c.m20_2_staff as double precision), cast(null as double precision)),
        ('M20.4', 1, cast(c.m20_4_reported as double precision), cast(c.m20_4_institutions as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
