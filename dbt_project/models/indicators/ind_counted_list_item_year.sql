-- M21.1, M21.2：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_list_item_year': 'calendar_year'}}) }}
with by_row_rows as (
    select
        f.calendar_year,
        f.is_managed,
        f.has_lead,
        f.has_loop,
        f.is_stuck
    from {{ ref('fct_list_item_year') }} as f
    where f.calendar_year is not null and {{ touched('f.calendar_year') }}
),

by_row_together as (
    select
        calendar_year,
        count(*) as m21_1_items,
        count(*) filter (where is_managed) as m21_1_managed,
        count(*) filter (where has_lead) as m21_1_led,
        count(*) filter (where has_loop) as m21_2_loops,
        count(*) filter (where has_loop and is_stuck) as m21_2_stuck
    from by_row_rows
    group by calendar_year
),

by_row as (
    select
        calendar_year,
        cast(calendar_year as text) as period_code,
        'city' as grain,
        '{{ var("city_code") }}' as unit_code,
        sum(m21_1_items) as m21_1_items,
        sum(m21_1_managed) as m21_1_managed,
        sum(m21_1_led) as m21_1_led,
        sum(m21_2_loops) as m21_2_loops,
        sum(m21_2_stuck) as m21_2_stuck
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
        ('M21.1', 1, cast(c.m21_1_managed as double precision), cast(c.m21_1_items as double precision), cast(null as double precision)),
        ('M21.1-L', 1, cast(c.m21_1_led as double precision), cast(c.m21_1_items as double precision), cast(null as double precision)),
        ('M21.2', 1, cast(c.m21_2_stuck as double precision), cast(c.m21_2_loops as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
