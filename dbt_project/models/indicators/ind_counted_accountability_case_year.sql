-- M19.2：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_accountability_case_year': 'calendar_year'}}) }}
with by_row_rows as (
    select
        f.calendar_year,
        f.is_issued_in_year,
        f.days_to_action,
        f.is_open,
        f.is_past_due
    from {{ ref('fct_accountability_case_year') }} as f
    where f.calendar_year is not null and {{ touched('f.calendar_year') }}
),

by_row_together as (
    select
        calendar_year,
        count(*) filter (where is_issued_in_year) as m19_2_issued,
        coalesce(sum(days_to_action) filter (where is_issued_in_year), 0) as m19_2_days,
        count(*) filter (where is_open) as m19_2_open,
        count(*) filter (where is_past_due) as m19_2_past_due
    from by_row_rows
    group by calendar_year
),

by_row as (
    select
        calendar_year,
        cast(calendar_year as text) as period_code,
        'city' as grain,
        '{{ var("city_code") }}' as unit_code,
        sum(m19_2_issued) as m19_2_issued,
        sum(m19_2_days) as m19_2_days,
        sum(m19_2_open) as m19_2_open,
        sum(m19_2_past_due) as m19_2_past_due
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
        ('M19.2a', 1, cast(c.m19_2_days as double precision), cast(c.m19_2_issued as double precision), cast(null as double precision)),
        ('M19.2b', 1, cast(c.m19_2_past_due as double precision), cast(c.m19_2_open as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
