{% set grains = ['city', 'institution', 'category', 'discipline', 'institution_category', 'institution_discipline'] -%}
with persons as (
    select
        census_year,
        {{ grain_columns(grains) }},
        person_key,
        bool_or(degree_level = '1') as is_doctoral
    from {{ ref('fct_enrolment_census') }}
    {{ by_grain(['census_year', 'person_key'], grains) }}
),

counted as (
    select
        {{ year_code('census_year') }} as period_code,
        grain,
        unit_code,
        count(*) filter (where is_doctoral) as doctoral,
        count(*) as persons
    from persons
    group by census_year, grain, unit_code
)

{{ variant_rows('counted', {'H04': ['doctoral', 'persons']}) }}
