-- M06.3：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_teaching_resource': 'completed_year'}}) }}
with by_row_rows as (
    select
        f.completed_year,
        f.inst_code,
        f.kind_code,
        f.is_with_enterprise
    from {{ ref('fct_teaching_resource') }} as f
    where f.completed_year is not null and {{ touched('f.completed_year') }}
),

by_row_together as (
    select
        completed_year,
        inst_code,
        count(*) filter (where kind_code in ('20', '30', '40')) as m06_3_completed,
        count(*) filter (where kind_code in ('20', '30', '40') and is_with_enterprise) as m06_3_with_enterprise
    from by_row_rows
    group by completed_year, inst_code
),

by_row as (
    select
        completed_year,
        cast(completed_year as text) as period_code,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m06_3_completed) as m06_3_completed,
        sum(m06_3_with_enterprise) as m06_3_with_enterprise
    from by_row_together
    group by grouping sets (
        (completed_year),
        (completed_year, inst_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M06.3', 1, cast(c.m06_3_completed as double precision), cast(null as double precision), cast(null as double precision)),
        ('M06.3e', 1, cast(c.m06_3_with_enterprise as double precision), cast(c.m06_3_completed as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
