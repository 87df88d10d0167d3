-- M03.1, M03.3, M05.2：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_degree_point_year': 'calendar_year'}}) }}
with by_row_rows as (
    select
        f.calendar_year,
        f.inst_code,
        f.degree_level,
        f.degree_type,
        f.is_in_force_at_census,
        f.is_in_force,
        f.is_joint_built,
        f.is_granted,
        f.is_withdrawn
    from {{ ref('fct_degree_point_year') }} as f
    where f.calendar_year is not null and {{ touched('f.calendar_year') }}
),

by_row_together as (
    select
        calendar_year,
        inst_code,
        degree_level,
        degree_type,
        count(*) filter (where is_in_force_at_census) as m03_1_points,
        count(*) filter (where is_in_force_at_census and degree_level = '1') as m03_1_doctoral,
        count(*) filter (where is_in_force_at_census and degree_level = '2') as m03_1_master,
        count(*) filter (where is_in_force_at_census and degree_type = '2') as m03_1_professional,
        count(*) filter (where is_in_force and degree_level = '1' and is_joint_built) as m03_3_joint,
        count(*) filter (where is_in_force) as m05_2_in_force,
        count(*) filter (where is_granted or is_withdrawn) as m05_2_changed,
        count(*) filter (where is_withdrawn) as m05_2_withdrawn,
        count(*) filter (where is_granted) as m05_2_granted
    from by_row_rows
    group by calendar_year, inst_code, degree_level, degree_type
),

by_row as (
    select
        calendar_year,
        cast(calendar_year as text) as period_code,
        case grouping(inst_code, degree_level, degree_type)
            when 7 then 'city'
            when 3 then 'institution'
            when 4 then 'level_type'
        end as grain,
        case grouping(inst_code, degree_level, degree_type)
            when 7 then '{{ var("city_code") }}'
            when 3 then inst_code
            when 4 then degree_level || '-' || degree_type
        end as unit_code,
        sum(m03_1_points) as m03_1_points,
        sum(m03_1_doctoral) as m03_1_doctoral,
        sum(m03_1_master) as m03_1_master,
        sum(m03_1_professional) as m03_1_professional,
        sum(m03_3_joint) as m03_3_joint,
        sum(m05_2_in_force) as m05_2_in_force,
        sum(m05_2_changed) as m05_2_changed,
        sum(m05_2_withdrawn) as m05_2_withdrawn,
        sum(m05_2_granted) as m05_2_granted
    from by_row_together
    group by grouping sets (
        (calendar_year),
        (calendar_year, inst_code),
        (calendar_year, degree_level, degree_type)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M03.1', 1, cast(c.m03_1_points as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M03.1-D', 1, cast(c.m03_1_doctoral as double precision), cast(c.m03_1_points as double precision), cast(null as double precision)),
        ('M03.1-M', 1, cast(c.m03_1_master as double precision), cast(c.m03_1_points as double precision), cast(null as double precision)),
        ('M03.1-P', 1, cast(c.m03_1_professional as double precision), cast(c.m03_1_points as double precision), cast(null as double precision)),
        ('M03.3', 1, cast(c.m03_3_joint as double precision), cast(null as double precision), cast(null as double precision)),
        ('M05.2', 1, cast(c.m05_2_changed as double precision), cast(c.m05_2_in_force as double precision), cast(null as double precision)),
        ('M05.2-W', 1, cast(c.m05_2_withdrawn as double precision), cast(null as double precision), cast(null as double precision)),
        ('M05.2-N', 1, cast(c.m05_2_granted as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
    and c.grain in ('city', 'institution')
