with counted as (
    select
        point_code,
        {{ year_code('grad_year') }} as period_code,
        {{ grain_columns() }},
        count(*) as graduates,
        count(*) filter (where is_employed) as employed,
        count(*) filter (where is_employed and is_in_chongqing) as employed_in_chongqing,
        count(*) filter (where verify_state in ('2', '3')) as verified
    from {{ ref('fct_employment') }}
    where point_code in ('EP1', 'EP2')
    {{ by_grain(['point_code', 'grad_year']) }}
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
