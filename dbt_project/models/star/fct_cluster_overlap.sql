-- H02c: supply and demand by key cluster, as shares; of the city (no institution) and of each institution against the city's demand
with parts as (
    select
        discipline_code,
        cluster_code,
        strength / sum(strength) over (partition by discipline_code) as part
    from {{ ref('bridge_key_cluster') }}
),

awards as (
    select a.award_year, a.inst_code, a.institution_key, s.cluster_code, s.part
    from {{ ref('fct_degree_award') }} as a
    inner join parts as s on s.discipline_code = a.discipline_code
    where a.awarded_on <= {{ as_of() }}
),

supply as (
    select award_year, inst_code, institution_key, cluster_code, sum(part) as degrees
    from awards
    group by grouping sets ((award_year, cluster_code), (award_year, cluster_code, inst_code, institution_key))
),

supply_shares as (
    select
        award_year, inst_code, institution_key, cluster_code,
        degrees / sum(degrees) over (partition by award_year, inst_code) as supply_share
    from supply
),

demand as (
    select d.demand_year, d.cluster_code, sum(d.demand_count) as posts
    from {{ ref('fct_talent_demand') }} as d
    inner join {{ ref('dim_cluster') }} as c on c.cluster_code = d.cluster_code and c.is_key
    where d.demand_count > 0
    group by d.demand_year, d.cluster_code
),

demand_shares as (
    select demand_year, cluster_code, posts / sum(posts) over (partition by demand_year) as demand_share
    from demand
)

select
    s.award_year,
    coalesce(s.inst_code, '{{ var("city_code") }}') as unit_code,
    s.inst_code,
    s.institution_key,
    s.cluster_code,
    s.inst_code is null as is_of_city,
    cast(s.supply_share as numeric(19, 18)) as supply_share,
    cast(coalesce(d.demand_share, 0) as numeric(19, 18)) as demand_share,
    cast(least(s.supply_share, coalesce(d.demand_share, 0)) as numeric(19, 18)) as overlap_share
from supply_shares as s
left join demand_shares as d on d.demand_year = s.award_year and d.cluster_code = s.cluster_code
where s.award_year in (select demand_year from demand)
