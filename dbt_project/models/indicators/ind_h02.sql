{% set grains = ['city', 'institution', 'cluster'] -%}
with disciplines as (
    select discipline_code, key_cluster_strength >= {{ var('map_strength_minimum') }} as is_matched
    from {{ ref('dim_discipline') }}
    where not is_h02_excluded
),

-- H02a: degree points active on the census date, by their last event on or before it
census as (
    select period_code, end_on from {{ ref('ind_period') }} where period_basis = 'CD'
),

state_events as (
    select
        c.period_code,
        e.degree_point_id,
        e.event_type in ('11', '12', '13', '32', '42') as is_active,
        row_number() over (
            partition by c.period_code, e.degree_point_id order by e.event_on desc, e.event_id desc
        ) as recency
    from census as c
    inner join {{ ref('fct_degree_point_event') }} as e on e.event_on <= c.end_on
    where e.event_type in ('11', '12', '13', '21', '22', '31', '32', '33', '41', '42')
),

active_points as (
    select c.period_code, p.degree_point_id, p.inst_code, m.cluster_code, d.is_matched
    from census as c
    inner join {{ ref('dim_degree_point') }} as p on p.authorised_on <= c.end_on
    inner join disciplines as d on d.discipline_code = p.discipline_code
    left join state_events as s
        on s.period_code = c.period_code and s.degree_point_id = p.degree_point_id and s.recency = 1
    left join {{ ref('ind_discipline_cluster') }} as m on m.discipline_code = p.discipline_code and m.is_matched
    where p.is_current and p.degree_level in ('1', '2') and coalesce(s.is_active, true)
),

points_counted as (
    select
        period_code,
        {{ grain_columns(grains) }},
        count(distinct degree_point_id) filter (where is_matched) as matched_points,
        count(distinct degree_point_id) as active_points
    from active_points
    {{ by_grain(['period_code'], grains) }}
),

-- a cluster's part of the match: its matched points of all the city's, so that clusters can be compared
points_compared as (
    select
        period_code, grain, unit_code, matched_points,
        case when grain = 'cluster' then {{ of_the_city('active_points') }} else active_points end as active_points
    from points_counted
),

-- H02b: persons in study on the census date
in_study as (
    select e.census_year, e.inst_code, m.cluster_code, e.person_key, d.is_matched
    from {{ ref('fct_enrolment_census') }} as e
    inner join disciplines as d on d.discipline_code = e.discipline_code
    left join {{ ref('ind_discipline_cluster') }} as m on m.discipline_code = e.discipline_code and m.is_matched
),

persons as (
    select
        {{ year_code('census_year') }} as period_code,
        {{ grain_columns(grains) }},
        person_key,
        bool_or(is_matched) as is_matched
    from in_study
    {{ by_grain(['census_year', 'person_key'], grains) }}
),

persons_counted as (
    select
        period_code,
        grain,
        unit_code,
        count(*) filter (where is_matched) as matched_persons,
        count(*) as persons
    from persons
    group by period_code, grain, unit_code
),

persons_compared as (
    select
        period_code, grain, unit_code, matched_persons,
        case when grain = 'cluster' then {{ of_the_city('persons') }} else persons end as persons
    from persons_counted
),

-- H02c: supply and demand by key cluster
parts as (
    select
        discipline_code,
        cluster_code,
        strength / sum(strength) over (partition by discipline_code) as part
    from {{ ref('ind_discipline_cluster') }}
),

awards as (
    select a.award_year, a.inst_code, s.cluster_code, s.part
    from {{ ref('fct_degree_award') }} as a
    inner join parts as s on s.discipline_code = a.discipline_code
    where a.awarded_on <= {{ as_of() }}
),

supply as (
    select award_year as period_year, cluster_code, {{ grain_columns(['city', 'institution']) }}, sum(part) as degrees
    from awards
    {{ by_grain(['award_year', 'cluster_code'], ['city', 'institution']) }}
),

supply_shares as (
    select
        period_year, grain, unit_code, cluster_code,
        degrees / sum(degrees) over (partition by period_year, grain, unit_code) as share
    from supply
),

demand as (
    select d.demand_year as period_year, d.cluster_code, sum(d.demand_count) as posts
    from {{ ref('fct_talent_demand') }} as d
    inner join {{ ref('dim_cluster') }} as c on c.cluster_code = d.cluster_code and c.is_key
    where d.demand_count > 0
    group by d.demand_year, d.cluster_code
),

demand_shares as (
    select period_year, cluster_code, posts / sum(posts) over (partition by period_year) as share
    from demand
),

met as (
    select
        {{ year_code('s.period_year') }} as period_code, s.grain, s.unit_code, s.cluster_code,
        least(s.share, coalesce(d.share, 0)) as share
    from supply_shares as s
    left join demand_shares as d on d.period_year = s.period_year and d.cluster_code = s.cluster_code
    where s.period_year in (select period_year from demand)
),

overlap_counted as (
    select period_code, grain, unit_code, sum(share) as overlap
    from met
    group by period_code, grain, unit_code
    union all
    select period_code, 'cluster', cluster_code, share
    from met
    where grain = 'city'
),

-- H02d: employed graduates in a cluster their discipline is mapped to
employed as (
    select
        e.grad_year,
        e.inst_code,
        e.resolved_cluster_code as cluster_code,
        m.cluster_code is not null as is_mapped
    from {{ ref('fct_employment') }} as e
    left join {{ ref('ind_discipline_cluster') }} as m
        on m.discipline_code = e.discipline_code and m.cluster_code = e.resolved_cluster_code and m.is_matched
    where e.point_code = 'EP2' and e.is_employed
),

employed_counted as (
    select
        {{ year_code('grad_year') }} as period_code,
        {{ grain_columns(grains) }},
        count(*) filter (where is_mapped) as mapped_graduates,
        count(*) as employed_graduates
    from employed
    {{ by_grain(['grad_year'], grains) }}
)

{{ variant_rows('points_compared', {'H02a': ['matched_points', 'active_points']}) }}
union all
{{ variant_rows('persons_compared', {'H02b': ['matched_persons', 'persons']}) }}
union all
{{ variant_rows('overlap_counted', {'H02c': ['overlap', '1']}) }}
union all
{{ variant_rows('employed_counted', {'H02d': ['mapped_graduates', 'employed_graduates']}) }}
