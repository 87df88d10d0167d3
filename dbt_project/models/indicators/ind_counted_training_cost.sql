-- M20.4：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_training_cost': 'fiscal_year'}}) }}
with by_row_rows as (
    select
        f.fiscal_year,
        f.inst_code,
        f.degree_level,
        f.degree_type,
        f.discipline_code,
        f.is_documented,
        f.student_fte,
        f.training_spending_cny
    from {{ ref('fct_training_cost') }} as f
    where f.fiscal_year is not null and {{ touched('f.fiscal_year') }}
),

by_row_together as (
    select
        fiscal_year,
        inst_code,
        degree_level,
        degree_type,
        discipline_code,
        count(*) as m20_4_points,
        count(*) filter (where is_documented) as m20_4_documented,
        coalesce(sum(student_fte) filter (where is_documented), 0) as m20_4_students,
        coalesce(sum(training_spending_cny) filter (where is_documented and student_fte > 0), 0) as m20_4_spending
    from by_row_rows
    group by fiscal_year, inst_code, degree_level, degree_type, discipline_code
),

by_row as (
    select
        fiscal_year,
        cast(fiscal_year as text) as period_code,
        case grouping(inst_code, degree_level, degree_type, discipline_code)
            when 15 then 'city'
            when 7 then 'institution'
            when 9 then 'level_type'
            when 14 then 'discipline'
        end as grain,
        case grouping(inst_code, degree_level, degree_type, discipline_code)
            when 15 then '{{ var("city_code") }}'
            when 7 then inst_code
            when 9 then degree_level || '-' || degree_type
            when 14 then discipline_code
        end as unit_code,
        sum(m20_4_points) as m20_4_points,
        sum(m20_4_documented) as m20_4_documented,
        sum(m20_4_students) as m20_4_students,
        sum(m20_4_spending) as m20_4_spending
    from by_row_together
    group by grouping sets (
        (fiscal_year),
        (fiscal_year, inst_code),
        (fiscal_year, degree_level, degree_type),
        (fiscal_year, discipline_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M20.4p', 1, cast(c.m20_4_documented as double precision), cast(c.m20_4_points as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
    and c.grain in ('city', 'institution')
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M20.4c', 1, cast(c.m20_4_spending as double precision), cast(c.m20_4_students as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
