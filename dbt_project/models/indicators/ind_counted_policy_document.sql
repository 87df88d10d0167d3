-- M21.3：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_policy_document': 'issued_year'}}) }}
with by_row_rows as (
    select
        f.issued_year,
        f.kind_code
    from {{ ref('fct_policy_document') }} as f
    where f.issued_year is not null and {{ touched('f.issued_year') }}
),

by_row_together as (
    select
        issued_year,
        count(*) filter (where kind_code = '50') as m21_3_meetings
    from by_row_rows
    group by issued_year
),

by_row as (
    select
        issued_year,
        cast(issued_year as text) as period_code,
        'city' as grain,
        '{{ var("city_code") }}' as unit_code,
        sum(m21_3_meetings) as m21_3_meetings
    from by_row_together
    group by grouping sets (
        (issued_year)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M21.3m', 1, cast(c.m21_3_meetings as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
