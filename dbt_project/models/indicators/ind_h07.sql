{% set grains = ['city', 'institution'] -%}
with achievements as (
    select p.period_code, a.inst_code, a.canonical_id, a.credit_share, a.kind_code in ('40', '50') as is_team
    from {{ ref('ind_period') }} as p
    inner join {{ ref('fct_achievement') }} as a on a.granted_on <= p.end_on
    where p.period_basis = 'CY'
        and a.granted_on >= cast('{{ var("plan_start") }}' as date)
        and a.granted_on <= {{ as_of() }}
        and a.level_code in ('10', '20', '21', '22', '23')
        and a.is_graduate_education_related
),

-- the city counts achievements, an institution its share of them
counted as (
    select
        period_code,
        {{ grain_columns(grains) }},
        case when grouping(inst_code) = 1 then count(distinct canonical_id) else sum(credit_share) end as achievements,
        case
            when grouping(inst_code) = 1 then count(distinct canonical_id) filter (where is_team)
            else coalesce(sum(credit_share) filter (where is_team), 0)
        end as teams,
        case
            when grouping(inst_code) = 1 then count(distinct canonical_id) filter (where not is_team)
            else coalesce(sum(credit_share) filter (where not is_team), 0)
        end as results
    from achievements
    {{ by_grain(['period_code'], grains) }}
)

{{ variant_rows('counted', {
    'H07': ['achievements'],
    'H07a': ['teams'],
    'H07b': ['results'],
}) }}
