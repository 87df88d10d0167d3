{% set grains = [
    'city', 'institution', 'level_type', 'category', 'discipline',
    'institution_level_type', 'institution_category', 'institution_discipline', 'degree_point',
] -%}
with graduates as (
    select
        point_code, grad_year, inst_code, degree_level, degree_type, discipline_code,
        case when discipline_code is not null then degree_point_id end as degree_point_id,
        is_employed, is_in_chongqing, verify_state
    from {{ ref('fct_employment') }}
    where point_code in ('EP1', 'EP2')
),

counted as (
    select
        point_code,
        {{ year_code('grad_year') }} as period_code,
        {{ grain_columns(grains) }},
        count(*) as graduates,
        count(*) filter (where is_employed) as employed,
        count(*) filter (where is_employed and is_in_chongqing) as employed_in_chongqing,
        count(*) filter (where verify_state in ('2', '3')) as verified
    from graduates
    {{ by_grain(['point_code', 'grad_year'], grains) }}
),

at_august as (
    select * from counted where point_code = 'EP1'
),

at_december as (
    select * from counted where point_code = 'EP2'
)

{{ variant_rows('at_december', {
    'H13a': ['employed_in_chongqing', 'employed'],
    'H13b': ['employed_in_chongqing', 'graduates'],
    'H13v': ['verified', 'graduates'],
}) }}
union all
{{ variant_rows('at_august', {'H13c': ['employed_in_chongqing', 'employed']}) }}
