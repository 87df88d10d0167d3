-- H15：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_employer_survey': 'survey_year'}}) }}
with by_row_rows as (
    select
        f.survey_year,
        f.inst_code,
        f.discipline_code,
        f.design_weight,
        f.overall_score,
        f.weighted_score,
        case when f.discipline_code is not null then f.degree_point_id end as degree_point_id
    from {{ ref('fct_employer_survey') }} as f
    where f.survey_year is not null and {{ touched('f.survey_year') }}
),

by_row_together as (
    select
        survey_year,
        inst_code,
        degree_point_id,
        coalesce(sum(design_weight), 0) as h15_weight,
        count(*) filter (where design_weight > 0 and overall_score is not null) as h15_answers,
        coalesce(sum(design_weight) filter (where overall_score >= 4), 0) as h15_satisfied,
        coalesce(sum(weighted_score), 0) as h15_score
    from by_row_rows
    group by survey_year, inst_code, degree_point_id
),

by_row as (
    select
        survey_year,
        cast(survey_year as text) as period_code,
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
        sum(h15_weight) as h15_weight,
        sum(h15_answers) as h15_answers,
        sum(h15_satisfied) as h15_satisfied,
        sum(h15_score) as h15_score
    from by_row_together
    group by grouping sets (
        (survey_year),
        (survey_year, inst_code),
        (survey_year, degree_point_id)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('H15', 1, cast(c.h15_satisfied as double precision), cast(c.h15_weight as double precision), cast(c.h15_answers as double precision)),
        ('H15b', 1, cast(c.h15_score as double precision), cast(c.h15_weight as double precision), cast(c.h15_answers as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
