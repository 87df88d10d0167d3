-- H01, M04.2：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_urgent_point_year': 'calendar_year'}}) }}
with by_degree_point_id_rows as (
    select
        f.calendar_year,
        f.degree_point_id,
        f.inst_code,
        f.degree_level,
        f.degree_type,
        f.is_joint_built,
        f.event_type,
        f.discipline_code,
        count(*) over (partition by f.calendar_year, f.degree_point_id) as rows_of_key
    from {{ ref('fct_urgent_point_year') }} as f
    where f.calendar_year is not null and f.degree_point_id is not null and {{ touched('f.calendar_year') }}
),

by_degree_point_id_alone as (
    select
        calendar_year,
        inst_code,
        degree_level,
        degree_type,
        discipline_code,
        count(*) as h01_points,
        count(*) filter (where degree_level = '1') as h01b_points,
        count(*) filter (where is_joint_built) as h01c_points,
        count(*) filter (where event_type in ('11', '13')) as h01d_points,
        count(*) filter (where event_type = '12') as h01e_points
    from by_degree_point_id_rows
    where rows_of_key = 1
    group by calendar_year, inst_code, degree_level, degree_type, discipline_code
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
        calendar_year,
        degree_point_id,
        case grouping(inst_code, degree_level, degree_type, cluster_code)
            when 15 then 'city'
            when 7 then 'institution'
            when 9 then 'level_type'
            when 1 then 'institution_level_type'
            when 14 then 'cluster'
        end as grain,
        case grouping(inst_code, degree_level, degree_type, cluster_code)
            when 15 then '{{ var("city_code") }}'
            when 7 then inst_code
            when 9 then degree_level || '-' || degree_type
            when 1 then inst_code || '-' || degree_level || '-' || degree_type
            when 14 then cluster_code
        end as unit_code,
        true as h01_points,
        bool_or(degree_level = '1') as h01b_points,
        bool_or(is_joint_built) as h01c_points,
        bool_or(event_type in ('11', '13')) as h01d_points,
        bool_or(event_type = '12') as h01e_points
    from by_degree_point_id_repeated
    group by grouping sets (
        (calendar_year, degree_point_id),
        (calendar_year, degree_point_id, inst_code),
        (calendar_year, degree_point_id, degree_level, degree_type),
        (calendar_year, degree_point_id, inst_code, degree_level, degree_type),
        (calendar_year, degree_point_id, cluster_code)
    )
),

by_degree_point_id_parts as (
    select
        calendar_year,
        case grouping(inst_code, degree_level, degree_type)
            when 7 then 'city'
            when 3 then 'institution'
            when 4 then 'level_type'
            when 0 then 'institution_level_type'
        end as grain,
        case grouping(inst_code, degree_level, degree_type)
            when 7 then '{{ var("city_code") }}'
            when 3 then inst_code
            when 4 then degree_level || '-' || degree_type
            when 0 then inst_code || '-' || degree_level || '-' || degree_type
        end as unit_code,
        sum(h01_points) as h01_points,
        sum(h01b_points) as h01b_points,
        sum(h01c_points) as h01c_points,
        sum(h01d_points) as h01d_points,
        sum(h01e_points) as h01e_points
    from by_degree_point_id_alone
    group by grouping sets (
        (calendar_year),
        (calendar_year, inst_code),
        (calendar_year, degree_level, degree_type),
        (calendar_year, inst_code, degree_level, degree_type)
    )

    union all

    select
        calendar_year,
        grain,
        unit_code,
        count(*) filter (where h01_points) as h01_points,
        count(*) filter (where h01b_points) as h01b_points,
        count(*) filter (where h01c_points) as h01c_points,
        count(*) filter (where h01d_points) as h01d_points,
        count(*) filter (where h01e_points) as h01e_points
    from by_degree_point_id_once
    group by calendar_year, grain, unit_code

    union all

    select
        r.calendar_year,
        'cluster' as grain,
        m.cluster_code as unit_code,
        sum(r.h01_points) as h01_points,
        sum(r.h01b_points) as h01b_points,
        sum(r.h01c_points) as h01c_points,
        sum(r.h01d_points) as h01d_points,
        sum(r.h01e_points) as h01e_points
    from by_degree_point_id_alone as r
    inner join {{ ref('bridge_key_cluster') }} as m
        on m.discipline_code = r.discipline_code and m.is_matched
    group by r.calendar_year, m.cluster_code
),

by_degree_point_id as (
    select
        calendar_year,
        cast(calendar_year as text) as period_code,
        grain,
        unit_code,
        sum(h01_points) as h01_points,
        sum(h01b_points) as h01b_points,
        sum(h01c_points) as h01c_points,
        sum(h01d_points) as h01d_points,
        sum(h01e_points) as h01e_points
    from by_degree_point_id_parts
    group by calendar_year, grain, unit_code
),

by_row_rows as (
    select
        f.calendar_year,
        f.inst_code,
        f.is_granted_in_year,
        f.days_since_list
    from {{ ref('fct_urgent_point_year') }} as f
    where f.calendar_year is not null and {{ touched('f.calendar_year') }}
),

by_row_together as (
    select
        calendar_year,
        inst_code,
        count(*) filter (where is_granted_in_year) as m04_2_points,
        coalesce(sum(days_since_list) filter (where is_granted_in_year), 0) as m04_2_days
    from by_row_rows
    group by calendar_year, inst_code
),

by_row as (
    select
        calendar_year,
        cast(calendar_year as text) as period_code,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m04_2_points) as m04_2_points,
        sum(m04_2_days) as m04_2_days
    from by_row_together
    group by grouping sets (
        (calendar_year),
        (calendar_year, inst_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_degree_point_id as c
cross join lateral (
    values
        ('H01', 1, cast(c.h01_points as double precision), cast(null as double precision), cast(null as double precision)),
        ('H01b', 1, cast(c.h01b_points as double precision), cast(null as double precision), cast(null as double precision)),
        ('H01c', 1, cast(c.h01c_points as double precision), cast(null as double precision), cast(null as double precision)),
        ('H01d', 1, cast(c.h01d_points as double precision), cast(null as double precision), cast(null as double precision)),
        ('H01e', 1, cast(c.h01e_points as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M04.2', 1, cast(c.m04_2_days as double precision), cast(c.m04_2_points as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
