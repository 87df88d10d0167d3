-- H02：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_match_point': 'census_year'}}) }}
with by_degree_point_id_rows as (
    select
        f.census_year,
        f.degree_point_id,
        f.inst_code,
        f.is_discipline_matched,
        f.discipline_code,
        count(*) over (partition by f.census_year, f.degree_point_id) as rows_of_key
    from {{ ref('fct_match_point') }} as f
    where f.census_year is not null and f.degree_point_id is not null and {{ touched('f.census_year') }}
),

by_degree_point_id_alone as (
    select
        census_year,
        inst_code,
        discipline_code,
        count(*) as h02_points,
        count(*) filter (where is_discipline_matched) as h02_matched_points
    from by_degree_point_id_rows
    where rows_of_key = 1
    group by census_year, inst_code, discipline_code
),

by_degree_point_id_repeated as (
    select
        r.*,
        m.cluster_code
    from by_degree_point_id_rows as r
    left join {{ ref('bridge_key_cluster') }} as m
        on m.discipline_code = r.discipline_code and m.is_matched
    where r.rows_of_key > 1
),

by_degree_point_id_once as (
    select
        census_year,
        degree_point_id,
        case grouping(inst_code, cluster_code)
            when 3 then 'city'
            when 1 then 'institution'
            when 2 then 'cluster'
        end as grain,
        case grouping(inst_code, cluster_code)
            when 3 then '{{ var("city_code") }}'
            when 1 then inst_code
            when 2 then cluster_code
        end as unit_code,
        true as h02_points,
        bool_or(is_discipline_matched) as h02_matched_points
    from by_degree_point_id_repeated
    group by grouping sets (
        (census_year, degree_point_id),
        (census_year, degree_point_id, inst_code),
        (census_year, degree_point_id, cluster_code)
    )
),

by_degree_point_id_parts as (
    select
        census_year,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(h02_points) as h02_points,
        sum(h02_matched_points) as h02_matched_points
    from by_degree_point_id_alone
    group by grouping sets (
        (census_year),
        (census_year, inst_code)
    )

    union all

    select
        census_year,
        grain,
        unit_code,
        count(*) filter (where h02_points) as h02_points,
        count(*) filter (where h02_matched_points) as h02_matched_points
    from by_degree_point_id_once
    group by census_year, grain, unit_code

    union all

    select
        r.census_year,
        'cluster' as grain,
        m.cluster_code as unit_code,
        sum(r.h02_points) as h02_points,
        sum(r.h02_matched_points) as h02_matched_points
    from by_degree_point_id_alone as r
    inner join {{ ref('bridge_key_cluster') }} as m
        on m.discipline_code = r.discipline_code and m.is_matched
    group by r.census_year, m.cluster_code
),

by_degree_point_id as (
    select
        census_year,
        cast(census_year as text) as period_code,
        grain,
        unit_code,
        sum(h02_points) as h02_points,
        sum(h02_matched_points) as h02_matched_points
    from by_degree_point_id_parts
    group by census_year, grain, unit_code
),

by_degree_point_id_of_city as (
    select
        *,
        max(h02_points) filter (where grain = 'city') over (partition by census_year) as h02_points_of_city
    from by_degree_point_id
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_degree_point_id_of_city as c
cross join lateral (
    values
        ('H02a', 1, cast(c.h02_matched_points as double precision), cast(case when c.grain in ('cluster') and c.h02_points > 0 then c.h02_points_of_city else c.h02_points end as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
