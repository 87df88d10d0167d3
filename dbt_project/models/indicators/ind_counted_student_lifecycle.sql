-- M17.2：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_student_lifecycle': 'left_year'}}) }}
with by_row_rows as (
    select
        f.left_year,
        f.inst_code,
        f.is_international,
        f.degree_level,
        f.is_awarded
    from {{ ref('fct_student_lifecycle') }} as f
    where f.left_year is not null and {{ touched('f.left_year') }}
),

by_row_together as (
    select
        left_year,
        inst_code,
        count(*) filter (where is_international and degree_level in ('1', '2')) as m17_2_left,
        count(*) filter (where is_international and degree_level in ('1', '2') and is_awarded) as m17_2_completed
    from by_row_rows
    group by left_year, inst_code
),

by_row as (
    select
        left_year,
        cast(left_year as text) as period_code,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m17_2_left) as m17_2_left,
        sum(m17_2_completed) as m17_2_completed
    from by_row_together
    group by grouping sets (
        (left_year),
        (left_year, inst_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M17.2c', 1, cast(c.m17_2_completed as double precision), cast(c.m17_2_left as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
