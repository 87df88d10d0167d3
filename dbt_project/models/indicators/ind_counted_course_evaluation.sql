-- H06：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_course_evaluation': 'academic_year'}}) }}
with by_row_rows as (
    select
        f.academic_year,
        f.inst_code,
        f.response_count,
        f.instrument_version,
        f.satisfied_count,
        f.score_sum,
        f.eligible_count
    from {{ ref('fct_course_evaluation') }} as f
    where f.academic_year is not null and {{ touched('f.academic_year') }}
),

by_row_together as (
    select
        academic_year,
        inst_code,
        coalesce(sum(response_count) filter (where instrument_version = '{{ var('evaluation_instrument') }}'), 0) as h06_responses,
        coalesce(sum(satisfied_count) filter (where instrument_version = '{{ var('evaluation_instrument') }}'), 0) as h06_satisfied,
        coalesce(sum(score_sum) filter (where instrument_version = '{{ var('evaluation_instrument') }}'), 0) as h06_score,
        coalesce(sum(eligible_count) filter (where instrument_version = '{{ var('evaluation_instrument') }}'), 0) as h06_eligible
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
        sum(h06_responses) as h06_responses,
        sum(h06_satisfied) as h06_satisfied,
        sum(h06_score) as h06_score,
        sum(h06_eligible) as h06_eligible
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
        ('H06', 1, cast(c.h06_satisfied as double precision), cast(c.h06_responses as double precision), cast(null as double precision)),
        ('H06b', 1, cast(c.h06_score as double precision), cast(c.h06_responses as double precision), cast(null as double precision)),
        ('H06r', 1, cast(c.h06_responses as double precision), cast(c.h06_eligible as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
