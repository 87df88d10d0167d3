{% set grains = ['city', 'institution', 'level_type', 'institution_level_type', 'cluster'] -%}
with grants as (
    select
        e.degree_point_id, e.inst_code, e.event_type, e.event_on, e.degree_level, e.degree_type, e.discipline_code,
        e.is_joint_built
    from {{ ref('fct_degree_point_event') }} as e
    inner join {{ ref('dim_urgent_list') }} as l
        on l.urgent_list_id = e.urgent_list_id
        and l.discipline_code = e.discipline_code
        and l.degree_level = e.degree_level
        and l.category_code = '10'
        and e.event_on >= l.valid_from
        and (l.valid_to is null or e.event_on <= l.valid_to)
    where e.event_type in ('11', '12', '13')
        and e.event_on >= cast('{{ var("plan_start") }}' as date)
        and e.event_on <= {{ as_of() }}
),

revocations as (
    select degree_point_id, event_on
    from {{ ref('fct_degree_point_event') }}
    where event_type in ('21', '22') and event_on <= {{ as_of() }}
),

-- once per cluster of the discipline; points are distinct below
standing as (
    select p.period_code, g.*, c.cluster_code
    from {{ ref('ind_period') }} as p
    inner join grants as g on g.event_on <= p.end_on
    left join {{ ref('ind_discipline_cluster') }} as c on c.discipline_code = g.discipline_code and c.is_matched
    where p.period_basis = 'CY'
        and not exists (
            select 1
            from revocations as r
            where r.degree_point_id = g.degree_point_id and r.event_on > g.event_on and r.event_on <= p.end_on
        )
),

counted as (
    select
        period_code,
        {{ grain_columns(grains) }},
        count(distinct degree_point_id) as points,
        count(distinct degree_point_id) filter (where degree_level = '1') as doctoral,
        count(distinct degree_point_id) filter (where is_joint_built) as joint_built,
        count(distinct degree_point_id) filter (where event_type in ('11', '13')) as reviewed,
        count(distinct degree_point_id) filter (where event_type = '12') as adjusted
    from standing
    {{ by_grain(['period_code'], grains) }}
)

{{ variant_rows('counted', {
    'H01': ['points'],
    'H01b': ['doctoral'],
    'H01c': ['joint_built'],
    'H01d': ['reviewed'],
    'H01e': ['adjusted'],
}) }}
