-- M02.3：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_supervisor_conduct_year': 'calendar_year'}}) }}
with by_row_rows as (
    select
        f.calendar_year,
        f.supervisor_count,
        f.case_count
    from {{ ref('fct_supervisor_conduct_year') }} as f
    where f.calendar_year is not null and {{ touched('f.calendar_year') }}
),

by_row_together as (
    select
        calendar_year,
        coalesce(sum(supervisor_count), 0) as m02_3_supervisors,
        coalesce(sum(case_count), 0) as m02_3_cases
    from by_row_rows
    group by calendar_year
),

by_row as (
    select
        calendar_year,
        cast(calendar_year as text) as period_code,
        'city' as grain,
        '{{ var("city_code") }}' as unit_code,
        sum(m02_3_supervisors) as m02_3_supervisors,
        sum(m02_3_cases) as m02_3_cases
    from by_row_together
    group by grouping sets (
        (calendar_year)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M02.3', 1, cast(c.m02_3_cases as double precision), cast(c.m02_3_supervisors as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
