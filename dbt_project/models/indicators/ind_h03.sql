{% set grains = [
    'city', 'institution', 'level_type', 'category', 'discipline',
    'institution_level_type', 'institution_category', 'institution_discipline',
] -%}
with persons as (
    select
        census_year,
        {{ grain_columns(grains) }},
        person_key,
        bool_or(study_mode = '1') as is_full_time,
        bool_or(study_mode = '2') as is_part_time
    from {{ ref('fct_enrolment_census') }}
    {{ by_grain(['census_year', 'person_key'], grains) }}
),

counted as (
    select
        {{ year_code('census_year') }} as period_code,
        grain,
        unit_code,
        count(*) as persons,
        count(*) filter (where is_full_time) as full_time,
        count(*) filter (where is_part_time) as part_time
    from persons
    group by census_year, grain, unit_code
)

{{ variant_rows('counted', {
    'H03': ['persons'],
    'H03-FT': ['full_time'],
    'H03-PT': ['part_time'],
}) }}
