-- M08.1：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_research_training_year': 'academic_year'}}) }}
with by_person_key_rows as (
    select
        f.academic_year,
        f.person_key,
        f.inst_code,
        f.is_in_project,
        f.is_in_practice,
        f.is_in_research,
        f.is_in_commissioned,
        f.is_in_innovation,
        count(*) over (partition by f.academic_year, f.person_key) as rows_of_key
    from {{ ref('fct_research_training_year') }} as f
    where f.academic_year is not null and f.person_key is not null and {{ touched('f.academic_year') }}
),

by_person_key_alone as (
    select
        academic_year,
        inst_code,
        count(*) as m08_1_students,
        count(*) filter (where is_in_project) as m08_1_in_project,
        count(*) filter (where is_in_practice) as m08_1_in_practice,
        count(*) filter (where is_in_research) as m08_1_in_research,
        count(*) filter (where is_in_commissioned) as m08_1_in_commissioned,
        count(*) filter (where is_in_innovation) as m08_1_in_innovation
    from by_person_key_rows
    where rows_of_key = 1
    group by academic_year, inst_code
),

by_person_key_repeated as (
    select
        r.*
    from by_person_key_rows as r
    where r.rows_of_key > 1
),

by_person_key_once as (
    select
        academic_year,
        person_key,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        true as m08_1_students,
        bool_or(is_in_project) as m08_1_in_project,
        bool_or(is_in_practice) as m08_1_in_practice,
        bool_or(is_in_research) as m08_1_in_research,
        bool_or(is_in_commissioned) as m08_1_in_commissioned,
        bool_or(is_in_innovation) as m08_1_in_innovation
    from by_person_key_repeated
    group by grouping sets (
        (academic_year, person_key),
        (academic_year, person_key, inst_code)
    )
),

by_person_key_parts as (
    select
        academic_year,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m08_1_students) as m08_1_students,
        sum(m08_1_in_project) as m08_1_in_project,
        sum(m08_1_in_practice) as m08_1_in_practice,
        sum(m08_1_in_research) as m08_1_in_research,
        sum(m08_1_in_commissioned) as m08_1_in_commissioned,
        sum(m08_1_in_innovation) as m08_1_in_innovation
    from by_person_key_alone
    group by grouping sets (
        (academic_year),
        (academic_year, inst_code)
    )

    union all

    select
        academic_year,
        grain,
        unit_code,
        count(*) filter (where m08_1_students) as m08_1_students,
        count(*) filter (where m08_1_in_project) as m08_1_in_project,
        count(*) filter (where m08_1_in_practice) as m08_1_in_practice,
        count(*) filter (where m08_1_in_research) as m08_1_in_research,
        count(*) filter (where m08_1_in_commissioned) as m08_1_in_commissioned,
        count(*) filter (where m08_1_in_innovation) as m08_1_in_innovation
    from by_person_key_once
    group by academic_year, grain, unit_code
),

by_person_key as (
    select
        academic_year,
        academic_year as period_code,
        grain,
        unit_code,
        sum(m08_1_students) as m08_1_students,
        sum(m08_1_in_project) as m08_1_in_project,
        sum(m08_1_in_practice) as m08_1_in_practice,
        sum(m08_1_in_research) as m08_1_in_research,
        sum(m08_1_in_commissioned) as m08_1_in_commissioned,
        sum(m08_1_in_innovation) as m08_1_in_innovation
    from by_person_key_parts
    group by academic_year, grain, unit_code
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_person_key as c
cross join lateral (
    values
        ('M08.1', 1, cast(c.m08_1_in_project as double precision), cast(c.m08_1_students as double precision), cast(null as double precision)),
        ('M08.1p', 1, cast(c.m08_1_in_practice as double precision), cast(c.m08_1_students as double precision), cast(null as double precision)),
        ('M08.1r', 1, cast(c.m08_1_in_research as double precision), cast(c.m08_1_students as double precision), cast(null as double precision)),
        ('M08.1c', 1, cast(c.m08_1_in_commissioned as double precision), cast(c.m08_1_students as double precision), cast(null as double precision)),
        ('M08.1x', 1, cast(c.m08_1_in_innovation as double precision), cast(c.m08_1_students as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
