{% set grains = ['city', 'institution', 'degree_point'] -%}
with answers as (
    select
        survey_year, inst_code, overall_score, design_weight,
        case when discipline_code is not null then degree_point_id end as degree_point_id
    from {{ ref('fct_employer_survey') }}
),

counted as (
    select
        {{ year_code('survey_year') }} as period_code,
        {{ grain_columns(grains) }},
        coalesce(sum(design_weight) filter (where overall_score >= 4), 0) as satisfied_weight,
        sum(design_weight * overall_score) as weighted_score,
        sum(design_weight) as weight
    from answers
    {{ by_grain(['survey_year'], grains) }}
)

{{ variant_rows('counted', {
    'H15': ['satisfied_weight', 'weight'],
    'H15b': ['weighted_score', 'weight'],
}) }}
