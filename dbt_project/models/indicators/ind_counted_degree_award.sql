-- H12, M06.2, M14.2, M14.3：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_degree_award': 'academic_year'}, 'days': {'fct_degree_award': ['awarded_on']}}) }}
with by_row_rows as (
    select
        f.academic_year,
        f.inst_code,
        f.degree_level,
        f.degree_type,
        f.discipline_code,
        f.is_thesis_accepted,
        f.awarded_on,
        f.is_frontline_evidenced,
        f.is_frontline_topic,
        f.basis_code,
        case when f.discipline_code is not null then f.degree_point_id end as degree_point_id
    from {{ ref('fct_degree_award') }} as f
    where f.academic_year is not null and {{ touched('f.academic_year') }}
),

by_row_together as (
    select
        academic_year,
        inst_code,
        degree_level,
        degree_type,
        degree_point_id,
        count(*) filter (where is_thesis_accepted and awarded_on <= {{ as_of() }}) as h12_theses,
        count(*) filter (where is_thesis_accepted and awarded_on <= {{ as_of() }} and is_frontline_evidenced) as h12_frontline,
        count(*) filter (where is_thesis_accepted and awarded_on <= {{ as_of() }} and is_frontline_topic) as h12_claimed,
        count(*) filter (where is_thesis_accepted and awarded_on <= {{ as_of() }} and is_frontline_topic and not is_frontline_evidenced) as h12_unevidenced,
        count(*) filter (where degree_type = '2' and discipline_code in ('0854', '0855', '0856', '0857', '0858', '0859', '0860', '0861') and awarded_on <= {{ as_of() }}) as m14_2_awards,
        count(*) filter (where degree_type = '2' and discipline_code in ('0854', '0855', '0856', '0857', '0858', '0859', '0860', '0861') and awarded_on <= {{ as_of() }} and is_frontline_evidenced) as m14_2_evidenced,
        count(*) filter (where degree_type = '2' and awarded_on <= {{ as_of() }}) as m14_3_awards,
        count(*) filter (where degree_type = '2' and awarded_on <= {{ as_of() }} and basis_code = '2') as m14_3_by_practice,
        count(*) filter (where degree_type = '2' and awarded_on <= {{ as_of() }} and discipline_code in ('0854', '0855', '0856', '0857', '0858', '0859', '0860', '0861')) as m14_3_e_awards,
        count(*) filter (where degree_type = '2' and awarded_on <= {{ as_of() }} and discipline_code in ('0854', '0855', '0856', '0857', '0858', '0859', '0860', '0861') and basis_code = '2') as m14_3_e_by_practice
    from by_row_rows
    group by academic_year, inst_code, degree_level, degree_type, degree_point_id
),

by_row as (
    select
        academic_year,
        academic_year as period_code,
        case grouping(inst_code, degree_level, degree_type, degree_point_id)
            when 15 then 'city'
            when 7 then 'institution'
            when 9 then 'level_type'
            when 1 then 'institution_level_type'
            when 14 then 'degree_point'
        end as grain,
        case grouping(inst_code, degree_level, degree_type, degree_point_id)
            when 15 then '{{ var("city_code") }}'
            when 7 then inst_code
            when 9 then degree_level || '-' || degree_type
            when 1 then inst_code || '-' || degree_level || '-' || degree_type
            when 14 then degree_point_id
        end as unit_code,
        sum(h12_theses) as h12_theses,
        sum(h12_frontline) as h12_frontline,
        sum(h12_claimed) as h12_claimed,
        sum(h12_unevidenced) as h12_unevidenced,
        sum(m14_2_awards) as m14_2_awards,
        sum(m14_2_evidenced) as m14_2_evidenced,
        sum(m14_3_awards) as m14_3_awards,
        sum(m14_3_by_practice) as m14_3_by_practice,
        sum(m14_3_e_awards) as m14_3_e_awards,
        sum(m14_3_e_by_practice) as m14_3_e_by_practice
    from by_row_together
    group by grouping sets (
        (academic_year),
        (academic_year, inst_code),
        (academic_year, degree_level, degree_type),
        (academic_year, inst_code, degree_level, degree_type),
        (academic_year, degree_point_id)
    )
),

by_student_id_rows as (
    select
        f.academic_year,
        f.student_id,
        f.inst_code,
        f.awarded_on,
        f.has_innovation_course,
        count(*) over (partition by f.academic_year, f.student_id) as rows_of_key
    from {{ ref('fct_degree_award') }} as f
    where f.academic_year is not null and f.student_id is not null and {{ touched('f.academic_year') }}
),

by_student_id_alone as (
    select
        academic_year,
        inst_code,
        count(*) filter (where awarded_on <= {{ as_of() }}) as m06_2_graduates,
        count(*) filter (where awarded_on <= {{ as_of() }} and has_innovation_course) as m06_2_with_course
    from by_student_id_rows
    where rows_of_key = 1
    group by academic_year, inst_code
),

by_student_id_repeated as (
    select
        r.*
    from by_student_id_rows as r
    where r.rows_of_key > 1
),

by_student_id_once as (
    select
        academic_year,
        student_id,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        bool_or(awarded_on <= {{ as_of() }}) as m06_2_graduates,
        bool_or(awarded_on <= {{ as_of() }} and has_innovation_course) as m06_2_with_course
    from by_student_id_repeated
    group by grouping sets (
        (academic_year, student_id),
        (academic_year, student_id, inst_code)
    )
),

by_student_id_parts as (
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
        sum(m06_2_graduates) as m06_2_graduates,
        sum(m06_2_with_course) as m06_2_with_course
    from by_student_id_alone
    group by grouping sets (
        (academic_year),
        (academic_year, inst_code)
    )

    union all

    select
        academic_year,
        grain,
        unit_code,
        count(*) filter (where m06_2_graduates) as m06_2_graduates,
        count(*) filter (where m06_2_with_course) as m06_2_with_course
    from by_student_id_once
    group by academic_year, grain, unit_code
),

by_student_id as (
    select
        academic_year,
        academic_year as period_code,
        grain,
        unit_code,
        sum(m06_2_graduates) as m06_2_graduates,
        sum(m06_2_with_course) as m06_2_with_course
    from by_student_id_parts
    group by academic_year, grain, unit_code
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('H12', 1, cast(c.h12_frontline as double precision), cast(c.h12_theses as double precision), cast(null as double precision)),
        ('H12b', 1, cast(c.h12_claimed as double precision), cast(c.h12_theses as double precision), cast(null as double precision)),
        ('H12g', 1, cast(c.h12_unevidenced as double precision), cast(c.h12_theses as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_student_id as c
cross join lateral (
    values
        ('M06.2', 1, cast(c.m06_2_with_course as double precision), cast(c.m06_2_graduates as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M14.2', 1, cast(c.m14_2_evidenced as double precision), cast(c.m14_2_awards as double precision), cast(null as double precision)),
        ('M14.3', 1, cast(c.m14_3_by_practice as double precision), cast(c.m14_3_awards as double precision), cast(null as double precision)),
        ('M14.3-E', 1, cast(c.m14_3_e_by_practice as double precision), cast(c.m14_3_e_awards as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
    and c.grain in ('city', 'institution')
