-- M03.2：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_degree_point_application': 'applied_year'}}) }}
with by_row_rows as (
    select
        f.applied_year,
        f.inst_code,
        f.is_planned_before,
        f.plan_item_id,
        f.result_code,
        f.is_granted
    from {{ ref('fct_degree_point_application') }} as f
    where f.applied_year is not null and {{ touched('f.applied_year') }}
),

by_row_together as (
    select
        applied_year,
        inst_code,
        count(*) as m03_2_applications,
        count(*) filter (where is_planned_before) as m03_2_planned,
        count(*) filter (where plan_item_id is not null) as m03_2_listed,
        count(*) filter (where result_code is not null) as m03_2_decided,
        count(*) filter (where is_granted) as m03_2_granted
    from by_row_rows
    group by applied_year, inst_code
),

by_row as (
    select
        applied_year,
        cast(applied_year as text) as period_code,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m03_2_applications) as m03_2_applications,
        sum(m03_2_planned) as m03_2_planned,
        sum(m03_2_listed) as m03_2_listed,
        sum(m03_2_decided) as m03_2_decided,
        sum(m03_2_granted) as m03_2_granted
    from by_row_together
    group by grouping sets (
        (applied_year),
        (applied_year, inst_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M03.2', 1, cast(c.m03_2_planned as double precision), cast(c.m03_2_applications as double precision), cast(null as double precision)),
        ('M03.2a', 1, cast(c.m03_2_listed as double precision), cast(c.m03_2_applications as double precision), cast(null as double precision)),
        ('M03.2b', 1, cast(c.m03_2_granted as double precision), cast(c.m03_2_decided as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
