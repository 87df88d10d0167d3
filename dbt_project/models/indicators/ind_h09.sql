{% set grains = ['city', 'institution', 'degree_point'] -%}
with judged as (
    select
        sampling_year,
        inst_code,
        case when discipline_code is not null then degree_point_id end as degree_point_id,
        sampling_weight,
        verdict_code = '1' as is_passed,
        degree_level = '1' as is_doctoral,
        degree_level = '2' and degree_type = '1' as is_academic_master,
        degree_level = '2' and degree_type = '2' as is_professional_master
    from {{ ref('fct_thesis_sampling') }}
    where authority_code in ('1', '2') and not is_targeted and verdict_code in ('1', '2')
),

counted as (
    select
        {{ year_code('sampling_year') }} as period_code,
        {{ grain_columns(grains) }},
        {% for kind in ['doctoral', 'academic_master', 'professional_master'] %}
        coalesce(sum(sampling_weight) filter (where is_passed and is_{{ kind }}), 0) as passed_{{ kind }},
        coalesce(sum(sampling_weight) filter (where is_{{ kind }}), 0) as judged_{{ kind }},
        {% endfor %}
        coalesce(sum(sampling_weight) filter (where is_passed), 0) as passed_weighted,
        sum(sampling_weight) as judged_weighted,
        count(*) filter (where is_passed) as passed_theses,
        count(*) as judged_theses
    from judged
    {{ by_grain(['sampling_year'], grains) }}
)

{{ variant_rows('counted', {
    'H09': ['passed_weighted', 'judged_weighted'],
    'H09a': ['passed_doctoral', 'judged_doctoral'],
    'H09b': ['passed_academic_master', 'judged_academic_master'],
    'H09c': ['passed_professional_master', 'judged_professional_master'],
    'H09d': ['passed_theses', 'judged_theses'],
}) }}
