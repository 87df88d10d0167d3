-- strength of a discipline for a key cluster, and the part of its degrees that is counted for it: as in H02c
with pairs as (
    select
        discipline_code,
        cluster_code,
        strength,
        strength / sum(strength) over (partition by discipline_code) as part
    from (
        select discipline_code, cluster_code, max(strength) as strength
        from {{ ref('bridge_discipline_cluster') }}
        where is_valid and is_key_cluster and strength > 0
        group by discipline_code, cluster_code
    ) as strongest
),

degrees as (
    select award_year as match_year, discipline_code, count(*) as graduates
    from {{ ref('fct_degree_award') }}
    where awarded_on <= {{ as_of() }}
    group by award_year, discipline_code
),

supply as (
    select d.match_year, p.cluster_code, p.discipline_code, d.graduates, d.graduates * p.part as allocated
    from degrees as d
    inner join pairs as p on p.discipline_code = d.discipline_code
),

demand as (
    select
        demand_year as match_year,
        cluster_code,
        {{ code_or_none('discipline_code') }} as discipline_code,
        sum(demand_count) as headcount
    from {{ ref('fct_talent_demand') }}
    where demand_count > 0 and cluster_code is not null
    group by 1, 2, 3
),

-- demand of clusters that are not key is shown, and is in no share
met as (
    select
        coalesce(s.match_year, d.match_year) as match_year,
        coalesce(s.cluster_code, d.cluster_code) as cluster_code,
        coalesce(s.discipline_code, d.discipline_code) as discipline_code,
        coalesce(s.allocated, 0) as allocated,
        coalesce(d.headcount, 0) as headcount
    from supply as s
    full join demand as d
        on d.match_year = s.match_year and d.cluster_code = s.cluster_code and d.discipline_code = s.discipline_code
),

measured as (
    select
        m.*,
        coalesce(c.is_key, false) as is_key_cluster,
        c.cluster_name,
        case when c.is_key then m.headcount else 0 end as key_headcount
    from met as m
    left join {{ ref('dim_cluster') }} as c on c.cluster_code = m.cluster_code
),

summed as (
    select
        m.*,
        sum(allocated) over (partition by match_year, cluster_code) as cluster_allocated,
        sum(key_headcount) over (partition by match_year, cluster_code) as cluster_headcount,
        nullif(sum(allocated) over (partition by match_year), 0) as year_allocated,
        nullif(sum(key_headcount) over (partition by match_year), 0) as year_headcount
    from measured as m
),

shared as (
    select
        s.*,
        allocated / year_allocated as supply_share,
        key_headcount / year_headcount as demand_share,
        cluster_allocated / year_allocated as cluster_supply_share,
        cluster_headcount / year_headcount as cluster_demand_share
    from summed as s
)

select
    s.match_year,
    {{ make_date('s.match_year', 12, 31) }} as period_end_on,
    {{ completeness(make_date('s.match_year', 12, 31)) }},
    s.cluster_code,
    {{ label_zh('s.cluster_name') }} as cluster_zh,
    {{ label_en('cluster.name_en') }} as cluster_en,
    s.is_key_cluster,
    s.discipline_code,
    {{ label_zh('discipline.discipline_name') }} as discipline_zh,
    {{ label_en('discipline.discipline_name_en') }} as discipline_en,
    {{ code_or_none('discipline.category_code') }} as category_code,
    {{ label_zh('discipline.category_name') }} as category_zh,
    cast(coalesce(p.strength, 0) as double precision) as strength,
    coalesce(p.strength, 0) >= {{ var('map_strength_minimum') }} as is_matched,
    cast(coalesce(degrees.graduates, 0) as integer) as discipline_graduate_count,
    cast(s.allocated as double precision) as supply_graduates,
    cast(s.headcount as integer) as demand_count,
    cast(s.supply_share as double precision) as supply_share,
    cast(s.demand_share as double precision) as demand_share,
    cast(least(s.supply_share, s.demand_share) as double precision) as match_share,
    cast(s.cluster_supply_share as double precision) as cluster_supply_share,
    cast(s.cluster_demand_share as double precision) as cluster_demand_share,
    cast(least(s.cluster_supply_share, s.cluster_demand_share) as double precision) as cluster_match_share,
    {{ provenance_columns() }}
from shared as s
left join pairs as p on p.cluster_code = s.cluster_code and p.discipline_code = s.discipline_code
left join degrees on degrees.match_year = s.match_year and degrees.discipline_code = s.discipline_code
left join {{ ref('dim_discipline') }} as discipline on discipline.discipline_code = s.discipline_code
left join {{ ref('cluster') }} as cluster on cluster.code = s.cluster_code
-- from the first year of any series on, and no year that has not begun
where s.match_year between (select min(first_year) from {{ ref('indicator') }}) and {{ this_year() }}
