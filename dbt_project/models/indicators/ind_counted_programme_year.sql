-- M08.2, M13.1：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_programme_year': 'calendar_year'}}) }}
with by_row_rows as (
    select
        f.calendar_year,
        f.inst_code,
        f.discipline_code,
        f.is_beside_academic,
        f.is_plan_separate,
        f.is_interdisciplinary,
        case when f.discipline_code is not null then f.degree_point_id end as degree_point_id
    from {{ ref('fct_programme_year') }} as f
    where f.calendar_year is not null and {{ touched('f.calendar_year') }}
),

by_row_together as (
    select
        calendar_year,
        inst_code,
        degree_point_id,
        count(*) filter (where is_beside_academic) as m08_2_professional,
        count(*) filter (where is_beside_academic and is_plan_separate) as m08_2_separate,
        count(*) filter (where is_interdisciplinary) as m13_1_programmes
    from by_row_rows
    group by calendar_year, inst_code, degree_point_id
),

by_row as (
    select
        calendar_year,
        cast(calendar_year as text) as period_code,
        case grouping(inst_code, degree_point_id)
            when 3 then 'city'
            when 1 then 'institution'
            when 2 then 'degree_point'
        end as grain,
        case grouping(inst_code, degree_point_id)
            when 3 then '{{ var("city_code") }}'
            when 1 then inst_code
            when 2 then degree_point_id
        end as unit_code,
        sum(m08_2_professional) as m08_2_professional,
        sum(m08_2_separate) as m08_2_separate,
        sum(m13_1_programmes) as m13_1_programmes
    from by_row_together
    group by grouping sets (
        (calendar_year),
        (calendar_year, inst_code),
        (calendar_year, degree_point_id)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M08.2', 1, cast(c.m08_2_separate as double precision), cast(c.m08_2_professional as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M13.1p', 1, cast(c.m13_1_programmes as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
    and c.grain in ('city', 'institution')
