with counted as (
    select
        {{ year_code('survey_year') }} as period_code,
        {{ grain_columns() }},
        coalesce(sum(design_weight) filter (where overall_score >= 4), 0) as satisfied_weight,
        sum(design_weight * overall_score) as weighted_score,
        sum(design_weight) as weight
    from {{ ref('fct_employer_survey') }}
    {{ by_grain(['survey_year']) }}
)

{{ variant_rows('counted', {
    'H15': ['satisfied_weight', 'weight'],
    'H15b': ['weighted_score', 'weight'],
}) }}
