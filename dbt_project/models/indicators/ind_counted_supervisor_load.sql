-- M07.4：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_supervisor_load': 'census_year'}}) }}
with by_row_rows as (
    select
        f.census_year,
        f.inst_code,
        f.student_count,
        f.doctoral_student_count
    from {{ ref('fct_supervisor_load') }} as f
    where f.census_year is not null and {{ touched('f.census_year') }}
),

by_row_together as (
    select
        census_year,
        inst_code,
        count(*) as m07_4_supervisors,
        coalesce(sum(student_count), 0) as m07_4_students,
        count(*) filter (where doctoral_student_count > 0) as m07_4_doctoral_supervisors,
        coalesce(sum(doctoral_student_count), 0) as m07_4_doctoral_students
    from by_row_rows
    group by census_year, inst_code
),

by_row as (
    select
        census_year,
        cast(census_year as text) as period_code,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m07_4_supervisors) as m07_4_supervisors,
        sum(m07_4_students) as m07_4_students,
        sum(m07_4_doctoral_supervisors) as m07_4_doctoral_supervisors,
        sum(m07_4_doctoral_students) as m07_4_doctoral_students
    from by_row_together
    group by grouping sets (
        (census_year),
        (census_year, inst_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M07.4', 1, cast(c.m07_4_students as double precision), cast(c.m07_4_supervisors as double precision), cast(null as double precision)),
        ('M07.4d', 1, cast(c.m07_4_doctoral_students as double precision), cast(c.m07_4_doctoral_supervisors as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
