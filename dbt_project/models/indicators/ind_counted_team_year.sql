-- M07.1：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_team_year': 'calendar_year'}}) }}
with by_row_rows as (
    select
        f.calendar_year,
        f.inst_code,
        f.is_cross_unit,
        f.is_school_enterprise
    from {{ ref('fct_team_year') }} as f
    where f.calendar_year is not null and {{ touched('f.calendar_year') }}
),

by_row_together as (
    select
        calendar_year,
        inst_code,
        count(*) as m07_1_teams,
        count(*) filter (where is_cross_unit) as m07_1_cross_unit,
        count(*) filter (where is_school_enterprise) as m07_1_with_enterprise
    from by_row_rows
    group by calendar_year, inst_code
),

by_row as (
    select
        calendar_year,
        cast(calendar_year as text) as period_code,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m07_1_teams) as m07_1_teams,
        sum(m07_1_cross_unit) as m07_1_cross_unit,
        sum(m07_1_with_enterprise) as m07_1_with_enterprise
    from by_row_together
    group by grouping sets (
        (calendar_year),
        (calendar_year, inst_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M07.1', 1, cast(c.m07_1_teams as double precision), cast(null as double precision), cast(null as double precision)),
        ('M07.1a', 1, cast(c.m07_1_cross_unit as double precision), cast(c.m07_1_teams as double precision), cast(null as double precision)),
        ('M07.1b', 1, cast(c.m07_1_with_enterprise as double precision), cast(c.m07_1_teams as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
