-- M18.2：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_academic_warning': 'academic_year'}}) }}
with by_row_rows as (
    select
        f.academic_year,
        f.inst_code,
        f.due_count,
        f.closed_in_time_count
    from {{ ref('fct_academic_warning') }} as f
    where f.academic_year is not null and {{ touched('f.academic_year') }}
),

by_row_together as (
    select
        academic_year,
        inst_code,
        coalesce(sum(due_count), 0) as m18_2_due,
        coalesce(sum(closed_in_time_count), 0) as m18_2_in_time
    from by_row_rows
    group by academic_year, inst_code
),

by_row as (
    select
        academic_year,
        academic_year as period_code,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m18_2_due) as m18_2_due,
        sum(m18_2_in_time) as m18_2_in_time
    from by_row_together
    group by grouping sets (
        (academic_year),
        (academic_year, inst_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M18.2b', 1, cast(c.m18_2_in_time as double precision), cast(c.m18_2_due as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
