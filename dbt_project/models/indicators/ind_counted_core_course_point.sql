-- M06.1：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_core_course_point': 'academic_year'}}) }}
with by_course_id_rows as (
    select
        f.academic_year,
        f.course_id,
        f.inst_code,
        f.discipline_code,
        f.is_core_5y,
        f.is_renewed_5y,
        f.is_core_3y,
        f.is_renewed_3y,
        case when f.discipline_code is not null then f.degree_point_id end as degree_point_id,
        count(*) over (partition by f.academic_year, f.course_id) as rows_of_key
    from {{ ref('fct_core_course_point') }} as f
    where f.academic_year is not null and f.course_id is not null and {{ touched('f.academic_year') }}
),

by_course_id_alone as (
    select
        academic_year,
        inst_code,
        degree_point_id,
        count(*) filter (where is_core_5y) as m06_1_core,
        count(*) filter (where is_core_5y and is_renewed_5y) as m06_1_renewed,
        count(*) filter (where is_core_3y) as m06_1_core_of_three,
        count(*) filter (where is_core_3y and is_renewed_3y) as m06_1_renewed_in_three
    from by_course_id_rows
    where rows_of_key = 1
    group by academic_year, inst_code, degree_point_id
),

by_course_id_repeated as (
    select
        r.*
    from by_course_id_rows as r
    where r.rows_of_key > 1
),

by_course_id_once as (
    select
        academic_year,
        course_id,
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
        bool_or(is_core_5y) as m06_1_core,
        bool_or(is_core_5y and is_renewed_5y) as m06_1_renewed,
        bool_or(is_core_3y) as m06_1_core_of_three,
        bool_or(is_core_3y and is_renewed_3y) as m06_1_renewed_in_three
    from by_course_id_repeated
    group by grouping sets (
        (academic_year, course_id),
        (academic_year, course_id, inst_code),
        (academic_year, course_id, degree_point_id)
    )
),

by_course_id_parts as (
    select
        academic_year,
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
        sum(m06_1_core) as m06_1_core,
        sum(m06_1_renewed) as m06_1_renewed,
        sum(m06_1_core_of_three) as m06_1_core_of_three,
        sum(m06_1_renewed_in_three) as m06_1_renewed_in_three
    from by_course_id_alone
    group by grouping sets (
        (academic_year),
        (academic_year, inst_code),
        (academic_year, degree_point_id)
    )

    union all

    select
        academic_year,
        grain,
        unit_code,
        count(*) filter (where m06_1_core) as m06_1_core,
        count(*) filter (where m06_1_renewed) as m06_1_renewed,
        count(*) filter (where m06_1_core_of_three) as m06_1_core_of_three,
        count(*) filter (where m06_1_renewed_in_three) as m06_1_renewed_in_three
    from by_course_id_once
    group by academic_year, grain, unit_code
),

by_course_id as (
    select
        academic_year,
        academic_year as period_code,
        grain,
        unit_code,
        sum(m06_1_core) as m06_1_core,
        sum(m06_1_renewed) as m06_1_renewed,
        sum(m06_1_core_of_three) as m06_1_core_of_three,
        sum(m06_1_renewed_in_three) as m06_1_renewed_in_three
    from by_course_id_parts
    group by academic_year, grain, unit_code
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_course_id as c
cross join lateral (
    values
        ('M06.1', 1, cast(c.m06_1_renewed as double precision), cast(c.m06_1_core as double precision), cast(null as double precision)),
        ('M06.1a', 1, cast(c.m06_1_renewed_in_three as double precision), cast(c.m06_1_core_of_three as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
