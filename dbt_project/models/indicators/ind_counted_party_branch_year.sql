-- M01.2：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_party_branch_year': 'calendar_year'}}) }}
with by_row_rows as (
    select
        f.calendar_year,
        f.inst_code,
        f.basis_kind_code
    from {{ ref('fct_party_branch_year') }} as f
    where f.calendar_year is not null and {{ touched('f.calendar_year') }}
),

by_row_together as (
    select
        calendar_year,
        inst_code,
        count(*) as m01_2_branches,
        count(*) filter (where basis_kind_code = '10') as m01_2_on_platforms,
        count(*) filter (where basis_kind_code = '20') as m01_2_on_bases,
        count(*) filter (where basis_kind_code = '30') as m01_2_on_disciplines
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
        sum(m01_2_branches) as m01_2_branches,
        sum(m01_2_on_platforms) as m01_2_on_platforms,
        sum(m01_2_on_bases) as m01_2_on_bases,
        sum(m01_2_on_disciplines) as m01_2_on_disciplines
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
        ('M01.2', 1, cast(c.m01_2_branches as double precision), cast(null as double precision), cast(null as double precision)),
        ('M01.2a', 1, cast(c.m01_2_on_platforms as double precision), cast(null as double precision), cast(null as double precision)),
        ('M01.2b', 1, cast(c.m01_2_on_bases as double precision), cast(null as double precision), cast(null as double precision)),
        ('M01.2c', 1, cast(c.m01_2_on_disciplines as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
