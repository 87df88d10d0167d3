{% set grains = ['city', 'institution'] -%}
with counted as (
    select
        academic_year as period_code,
        {{ grain_columns(grains) }},
        sum(satisfied_count) as satisfied,
        sum(score_sum) as score_sum,
        sum(response_count) as responses,
        sum(eligible_count) as eligible
    from {{ ref('fct_course_evaluation') }}
    where instrument_version = '{{ var("evaluation_instrument") }}' and academic_year is not null
    {{ by_grain(['academic_year'], grains) }}
)

{{ variant_rows('counted', {
    'H06': ['satisfied', 'responses'],
    'H06b': ['score_sum', 'responses'],
    'H06r': ['responses', 'eligible'],
}) }}
