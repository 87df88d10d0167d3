-- Theses behind H09, answers behind H15: their denominators are weights, and a weight of 60 can be three theses.
{% set grains = ['city', 'institution', 'degree_point'] -%}
with theses as (
    select
        sampling_year,
        inst_code,
        case when discipline_code is not null then degree_point_id end as degree_point_id,
        case when degree_level = '1' then 'H09a' when degree_level = '2' and degree_type = '1' then 'H09b' when degree_level = '2' and degree_type = '2' then 'H09c' end as kind
    from {{ ref('fct_thesis_sampling') }}
    where authority_code in ('1', '2') and not is_targeted and verdict_code in ('1', '2')
),

answers as (
    select survey_year, inst_code, case when discipline_code is not null then degree_point_id end as degree_point_id
    from {{ ref('fct_employer_survey') }}
    where overall_score is not null and design_weight > 0
),

theses_counted as (
    select
        {{ year_code('sampling_year') }} as period_code,
        {{ grain_columns(grains) }},
        {% for kind in ['H09a', 'H09b', 'H09c'] -%}
        count(*) filter (where kind = '{{ kind }}') as {{ kind | lower }},
        {% endfor -%}
        count(*) as h09
    from theses
    {{ by_grain(['sampling_year'], grains) }}
),

answers_counted as (
    select {{ year_code('survey_year') }} as period_code, {{ grain_columns(grains) }}, count(*) as answers
    from answers
    {{ by_grain(['survey_year'], grains) }}
),

counted as (
    {{ variant_rows('theses_counted', {'H09': ['h09'], 'H09a': ['h09a'], 'H09b': ['h09b'], 'H09c': ['h09c']}) }}
    union all
    {{ variant_rows('answers_counted', {'H15': ['answers'], 'H15b': ['answers']}) }}
)

select variant_code, grain, unit_code, period_code, numerator as case_count
from counted
