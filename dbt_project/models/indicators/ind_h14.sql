{% set grains = ['city', 'institution'] -%}
with outstanding_students as (
    select distinct student_id
    from {{ ref('fct_honour') }}
    where granted_on <= {{ as_of() }}
        and ((holder_kind = 'S' and honour_code = '01') or (holder_kind = 'X' and honour_code = '02'))
),

employed as (
    select
        e.grad_year,
        e.inst_code,
        e.is_in_chongqing,
        e.is_key_post and coalesce(c.is_key, false) as is_in_key_post
    from {{ ref('fct_employment') }} as e
    inner join outstanding_students as s on s.student_id = e.student_id
    left join {{ ref('dim_cluster') }} as c on c.cluster_code = e.employer_cluster_code
    where e.point_code = 'EP2' and e.is_employed
),

counted as (
    select
        {{ year_code('grad_year') }} as period_code,
        {{ grain_columns(grains) }},
        count(*) filter (where is_in_key_post) as in_key_post,
        count(*) as employed,
        count(*) filter (where is_in_key_post and is_in_chongqing) as in_key_post_in_chongqing,
        count(*) filter (where is_in_chongqing) as employed_in_chongqing
    from employed
    {{ by_grain(['grad_year'], grains) }}
)

{{ variant_rows('counted', {
    'H14': ['in_key_post', 'employed'],
    'H14b': ['in_key_post_in_chongqing', 'employed_in_chongqing'],
}) }}
