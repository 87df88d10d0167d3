-- M17.2：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_overseas_supervisor_year': 'calendar_year'}}) }}
with by_person_key_rows as (
    select
        f.calendar_year,
        f.person_key,
        f.inst_code,
        count(*) over (partition by f.calendar_year, f.person_key) as rows_of_key
    from {{ ref('fct_overseas_supervisor_year') }} as f
    where f.calendar_year is not null and f.person_key is not null and {{ touched('f.calendar_year') }}
),

by_person_key_alone as (
    select
        calendar_year,
        inst_code,
        count(*) as m17_2_overseas
    from by_person_key_rows
    where rows_of_key = 1
    group by calendar_year, inst_code
),

by_person_key_repeated as (
    select
        r.*
    from by_person_key_rows as r
    where r.rows_of_key > 1
),

by_person_key_once as (
    select
        calendar_year,
        person_key,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        true as m17_2_overseas
    from by_person_key_repeated
    group by grouping sets (
        (calendar_year, person_key),
        (calendar_year, person_key, inst_code)
    )
),

by_person_key_parts as (
    select
        calendar_year,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m17_2_overseas) as m17_2_overseas
    from by_person_key_alone
    group by grouping sets (
        (calendar_year),
        (calendar_year, inst_code)
    )

    union all

    select
        calendar_year,
        grain,
        unit_code,
        count(*) filter (where m17_2_overseas) as m17_2_overseas
    from by_person_key_once
    group by calendar_year, grain, unit_code
),

by_person_key as (
    select
        calendar_year,
        cast(calendar_year as text) as period_code,
        grain,
        unit_code,
        sum(m17_2_overseas) as m17_2_overseas
    from by_person_key_parts
    group by calendar_year, grain, unit_code
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_person_key as c
cross join lateral (
    values
        ('M17.2o', 1, cast(c.m17_2_overseas as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
