-- M06.4, M16.2：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_course_enrolment': 'academic_year'}}) }}
with by_row_rows as (
    select
        f.academic_year,
        f.inst_code,
        f.credits_earned,
        f.is_cross_institution,
        f.credits_recognised,
        f.is_sichuan_partner
    from {{ ref('fct_course_enrolment') }} as f
    where f.academic_year is not null and {{ touched('f.academic_year') }}
),

by_row_together as (
    select
        academic_year,
        inst_code,
        coalesce(sum(credits_earned) filter (where is_cross_institution), 0) as m06_4_earned,
        coalesce(sum(credits_recognised) filter (where is_cross_institution), 0) as m06_4_recognised,
        count(*) filter (where is_cross_institution) as m06_4_enrolments,
        count(*) filter (where is_sichuan_partner) as m16_2_enrolments,
        coalesce(sum(credits_recognised) filter (where is_sichuan_partner), 0) as m16_2_credits
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
        sum(m06_4_earned) as m06_4_earned,
        sum(m06_4_recognised) as m06_4_recognised,
        sum(m06_4_enrolments) as m06_4_enrolments,
        sum(m16_2_enrolments) as m16_2_enrolments,
        sum(m16_2_credits) as m16_2_credits
    from by_row_together
    group by grouping sets (
        (academic_year),
        (academic_year, inst_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M06.4', 1, cast(c.m06_4_recognised as double precision), cast(c.m06_4_earned as double precision), cast(null as double precision)),
        ('M06.4n', 1, cast(c.m06_4_enrolments as double precision), cast(null as double precision), cast(null as double precision)),
        ('M16.2', 1, cast(c.m16_2_enrolments as double precision), cast(null as double precision), cast(null as double precision)),
        ('M16.2c', 1, cast(c.m16_2_credits as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
