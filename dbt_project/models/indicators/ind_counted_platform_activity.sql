-- M04.3, M09.2, M10.1, M11.1, M12.1：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_platform_activity': 'activity_year'}}) }}
with by_institution_key_rows as (
    select
        f.activity_year,
        f.institution_key,
        f.inst_code,
        f.is_urgent_layout,
        count(*) over (partition by f.activity_year, f.institution_key) as rows_of_key
    from {{ ref('fct_platform_activity') }} as f
    where f.activity_year is not null and f.institution_key is not null and {{ touched('f.activity_year') }}
),

by_institution_key_alone as (
    select
        activity_year,
        inst_code,
        count(*) filter (where is_urgent_layout) as m04_3_units
    from by_institution_key_rows
    where rows_of_key = 1
    group by activity_year, inst_code
),

by_institution_key_repeated as (
    select
        r.*
    from by_institution_key_rows as r
    where r.rows_of_key > 1
),

by_institution_key_once as (
    select
        activity_year,
        institution_key,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        bool_or(is_urgent_layout) as m04_3_units
    from by_institution_key_repeated
    group by grouping sets (
        (activity_year, institution_key),
        (activity_year, institution_key, inst_code)
    )
),

by_institution_key_parts as (
    select
        activity_year,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m04_3_units) as m04_3_units
    from by_institution_key_alone
    group by grouping sets (
        (activity_year),
        (activity_year, inst_code)
    )

    union all

    select
        activity_year,
        grain,
        unit_code,
        count(*) filter (where m04_3_units) as m04_3_units
    from by_institution_key_once
    group by activity_year, grain, unit_code
),

by_institution_key as (
    select
        activity_year,
        cast(activity_year as text) as period_code,
        grain,
        unit_code,
        sum(m04_3_units) as m04_3_units
    from by_institution_key_parts
    group by activity_year, grain, unit_code
),

by_platform_id_rows as (
    select
        f.activity_year,
        f.platform_id,
        f.inst_code,
        f.is_urgent_layout,
        count(*) over (partition by f.activity_year, f.platform_id) as rows_of_key
    from {{ ref('fct_platform_activity') }} as f
    where f.activity_year is not null and f.platform_id is not null and {{ touched('f.activity_year') }}
),

by_platform_id_alone as (
    select
        activity_year,
        inst_code,
        count(*) filter (where is_urgent_layout) as m04_3_platforms
    from by_platform_id_rows
    where rows_of_key = 1
    group by activity_year, inst_code
),

by_platform_id_repeated as (
    select
        r.*
    from by_platform_id_rows as r
    where r.rows_of_key > 1
),

by_platform_id_once as (
    select
        activity_year,
        platform_id,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        bool_or(is_urgent_layout) as m04_3_platforms
    from by_platform_id_repeated
    group by grouping sets (
        (activity_year, platform_id),
        (activity_year, platform_id, inst_code)
    )
),

by_platform_id_parts as (
    select
        activity_year,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m04_3_platforms) as m04_3_platforms
    from by_platform_id_alone
    group by grouping sets (
        (activity_year),
        (activity_year, inst_code)
    )

    union all

    select
        activity_year,
        grain,
        unit_code,
        count(*) filter (where m04_3_platforms) as m04_3_platforms
    from by_platform_id_once
    group by activity_year, grain, unit_code
),

by_platform_id as (
    select
        activity_year,
        cast(activity_year as text) as period_code,
        grain,
        unit_code,
        sum(m04_3_platforms) as m04_3_platforms
    from by_platform_id_parts
    group by activity_year, grain, unit_code
),

by_row_rows as (
    select
        f.activity_year,
        f.inst_code,
        f.quantity,
        f.is_urgent_layout,
        f.activity_kind_code,
        f.platform_kind_code,
        f.planned_quantity,
        f.is_at_major_platform,
        f.cluster_code
    from {{ ref('fct_platform_activity') }} as f
    where f.activity_year is not null and {{ touched('f.activity_year') }}
),

by_row_together as (
    select
        activity_year,
        inst_code,
        cluster_code,
        coalesce(sum(quantity) filter (where is_urgent_layout and activity_kind_code = '40'), 0) as m04_3_projects,
        coalesce(sum(quantity) filter (where is_urgent_layout and activity_kind_code in ('10', '80')), 0) as m04_3_trained,
        coalesce(sum(quantity) filter (where activity_kind_code in ('61', '62', '63', '64')), 0) as m09_2_companions,
        coalesce(sum(quantity) filter (where activity_kind_code = '61'), 0) as m09_2_technology,
        coalesce(sum(quantity) filter (where activity_kind_code = '62'), 0) as m09_2_incubator,
        coalesce(sum(quantity) filter (where activity_kind_code = '63'), 0) as m09_2_investment,
        coalesce(sum(quantity) filter (where activity_kind_code = '64'), 0) as m09_2_professional,
        coalesce(sum(quantity) filter (where platform_kind_code = 'P01' and activity_kind_code = '10'), 0) as m10_1_enrolled,
        coalesce(sum(quantity) filter (where platform_kind_code = 'P01' and activity_kind_code = '20'), 0) as m10_1_appointed,
        coalesce(sum(quantity) filter (where platform_kind_code = 'P01' and activity_kind_code = '40'), 0) as m10_1_projects,
        coalesce(sum(quantity) filter (where platform_kind_code = 'P02' and activity_kind_code = '30'), 0) as m11_1_courses,
        coalesce(sum(quantity) filter (where platform_kind_code = 'P02' and activity_kind_code = '55'), 0) as m11_1_compute,
        coalesce(sum(quantity) filter (where platform_kind_code = 'P02' and activity_kind_code = '40'), 0) as m11_1_projects,
        coalesce(sum(planned_quantity) filter (where is_at_major_platform and activity_kind_code = '90'), 0) as m12_1_planned,
        coalesce(sum(quantity) filter (where is_at_major_platform and activity_kind_code = '90'), 0) as m12_1_done,
        coalesce(sum(quantity) filter (where is_at_major_platform and activity_kind_code = '20'), 0) as m12_1_appointed,
        coalesce(sum(quantity) filter (where is_at_major_platform and activity_kind_code = '50'), 0) as m12_1_hours
    from by_row_rows
    group by activity_year, inst_code, cluster_code
),

by_row as (
    select
        activity_year,
        cast(activity_year as text) as period_code,
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
        sum(m04_3_projects) as m04_3_projects,
        sum(m04_3_trained) as m04_3_trained,
        sum(m09_2_companions) as m09_2_companions,
        sum(m09_2_technology) as m09_2_technology,
        sum(m09_2_incubator) as m09_2_incubator,
        sum(m09_2_investment) as m09_2_investment,
        sum(m09_2_professional) as m09_2_professional,
        sum(m10_1_enrolled) as m10_1_enrolled,
        sum(m10_1_appointed) as m10_1_appointed,
        sum(m10_1_projects) as m10_1_projects,
        sum(m11_1_courses) as m11_1_courses,
        sum(m11_1_compute) as m11_1_compute,
        sum(m11_1_projects) as m11_1_projects,
        sum(m12_1_planned) as m12_1_planned,
        sum(m12_1_done) as m12_1_done,
        sum(m12_1_appointed) as m12_1_appointed,
        sum(m12_1_hours) as m12_1_hours
    from by_row_together
    group by grouping sets (
        (activity_year),
        (activity_year, inst_code),
        (activity_year, cluster_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_institution_key as c
cross join lateral (
    values
        ('M04.3', 1, cast(c.m04_3_units as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_platform_id as c
cross join lateral (
    values
        ('M04.3p', 1, cast(c.m04_3_platforms as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M04.3j', 1, cast(c.m04_3_projects as double precision), cast(null as double precision), cast(null as double precision)),
        ('M04.3t', 1, cast(c.m04_3_trained as double precision), cast(null as double precision), cast(null as double precision)),
        ('M09.2', 1, cast(c.m09_2_companions as double precision), cast(null as double precision), cast(null as double precision)),
        ('M09.2a', 1, cast(c.m09_2_technology as double precision), cast(null as double precision), cast(null as double precision)),
        ('M09.2b', 1, cast(c.m09_2_incubator as double precision), cast(null as double precision), cast(null as double precision)),
        ('M09.2c', 1, cast(c.m09_2_investment as double precision), cast(null as double precision), cast(null as double precision)),
        ('M09.2d', 1, cast(c.m09_2_professional as double precision), cast(null as double precision), cast(null as double precision)),
        ('M10.1e', 1, cast(c.m10_1_enrolled as double precision), cast(null as double precision), cast(null as double precision)),
        ('M10.1a', 1, cast(c.m10_1_appointed as double precision), cast(null as double precision), cast(null as double precision)),
        ('M11.1c', 1, cast(c.m11_1_courses as double precision), cast(null as double precision), cast(null as double precision)),
        ('M11.1h', 1, cast(c.m11_1_compute as double precision), cast(null as double precision), cast(null as double precision)),
        ('M11.1p', 1, cast(c.m11_1_projects as double precision), cast(null as double precision), cast(null as double precision)),
        ('M12.1s', 1, cast(c.m12_1_done as double precision), cast(c.m12_1_planned as double precision), cast(null as double precision)),
        ('M12.1a', 1, cast(c.m12_1_appointed as double precision), cast(null as double precision), cast(null as double precision)),
        ('M12.1h', 1, cast(c.m12_1_hours as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
    and c.grain in ('city', 'institution')
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M10.1p', 1, cast(c.m10_1_projects as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
