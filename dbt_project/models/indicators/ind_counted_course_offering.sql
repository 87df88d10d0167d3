-- M01.1, M06.4, M13.1：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_course_offering': 'academic_year'}}) }}
with by_course_id_rows as (
    select
        f.academic_year,
        f.course_id,
        f.inst_code,
        f.is_ideology_course,
        f.is_interdisciplinary_course,
        count(*) over (partition by f.academic_year, f.course_id) as rows_of_key
    from {{ ref('fct_course_offering') }} as f
    where f.academic_year is not null and f.course_id is not null and {{ touched('f.academic_year') }}
),

by_course_id_alone as (
    select
        academic_year,
        inst_code,
        count(*) as m01_1_offered,
        count(*) filter (where is_ideology_course) as m01_1_ideology,
        count(*) filter (where is_interdisciplinary_course) as m13_1_courses
    from by_course_id_rows
    where rows_of_key = 1
    group by academic_year, inst_code
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
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        true as m01_1_offered,
        bool_or(is_ideology_course) as m01_1_ideology,
        bool_or(is_interdisciplinary_course) as m13_1_courses
    from by_course_id_repeated
    group by grouping sets (
        (academic_year, course_id),
        (academic_year, course_id, inst_code)
    )
),

by_course_id_parts as (
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
        sum(m01_1_offered) as m01_1_offered,
        sum(m01_1_ideology) as m01_1_ideology,
        sum(m13_1_courses) as m13_1_courses
    from by_course_id_alone
    group by grouping sets (
        (academic_year),
        (academic_year, inst_code)
    )

    union all

    select
        academic_year,
        grain,
        unit_code,
        count(*) filter (where m01_1_offered) as m01_1_offered,
        count(*) filter (where m01_1_ideology) as m01_1_ideology,
        count(*) filter (where m13_1_courses) as m13_1_courses
    from by_course_id_once
    group by academic_year, grain, unit_code
),

by_course_id as (
    select
        academic_year,
        academic_year as period_code,
        grain,
        unit_code,
        sum(m01_1_offered) as m01_1_offered,
        sum(m01_1_ideology) as m01_1_ideology,
        sum(m13_1_courses) as m13_1_courses
    from by_course_id_parts
    group by academic_year, grain, unit_code
),

by_row_rows as (
    select
        f.academic_year,
        f.inst_code,
        f.is_cross_institution_open
    from {{ ref('fct_course_offering') }} as f
    where f.academic_year is not null and {{ touched('f.academic_year') }}
),

by_row_together as (
    select
        academic_year,
        inst_code,
        count(*) filter (where is_cross_institution_open) as m06_4_open_offerings
    from by_row_rows
    group by academic_year, inst_code
),

by_row as (
    select
        academic_year,
        academic_year as period_code,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m06_4_open_offerings) as m06_4_open_offerings
    from by_row_together
    group by grouping sets (
        (academic_year),
        (academic_year, inst_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_course_id as c
cross join lateral (
    values
        ('M01.1', 1, cast(c.m01_1_ideology as double precision), cast(c.m01_1_offered as double precision), cast(null as double precision)),
        ('M13.1c', 1, cast(c.m13_1_courses as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M06.4o', 1, cast(c.m06_4_open_offerings as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
