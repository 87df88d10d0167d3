-- H02, H13, H14：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_employment': 'grad_year'}}) }}
with by_row_rows as (
    select
        f.grad_year,
        f.inst_code,
        f.degree_level,
        f.degree_type,
        f.discipline_code,
        f.point_code,
        f.is_employed,
        f.is_cluster_matched,
        f.is_in_chongqing,
        f.verify_state,
        f.is_outstanding,
        f.is_key_post,
        f.is_employer_in_key_cluster,
        case when f.discipline_code is not null then f.degree_point_id end as degree_point_id,
        f.resolved_cluster_code as cluster_code
    from {{ ref('fct_employment') }} as f
    where f.grad_year is not null and {{ touched('f.grad_year') }}
),

by_row_together as (
    select
        grad_year,
        inst_code,
        degree_level,
        degree_type,
        discipline_code,
        degree_point_id,
        cluster_code,
        count(*) filter (where point_code = 'EP2' and is_employed) as h02_graduates,
        count(*) filter (where point_code = 'EP2' and is_employed and is_cluster_matched) as h02_graduates_in_cluster,
        count(*) filter (where point_code = 'EP2' and is_employed and is_in_chongqing) as h13_here,
        count(*) filter (where point_code = 'EP2') as h13_graduates,
        count(*) filter (where point_code = 'EP1' and is_employed) as h13_employed,
        count(*) filter (where point_code = 'EP1' and is_employed and is_in_chongqing) as h13c_here,
        count(*) filter (where point_code = 'EP2' and verify_state in ('2', '3')) as h13_verified,
        count(*) filter (where point_code = 'EP2' and is_employed and is_outstanding) as h14_graduates,
        count(*) filter (where point_code = 'EP2' and is_employed and is_outstanding and is_key_post and is_employer_in_key_cluster) as h14_in_key_post,
        count(*) filter (where point_code = 'EP2' and is_employed and is_outstanding and is_in_chongqing) as h14b_graduates,
        count(*) filter (where point_code = 'EP2' and is_employed and is_outstanding and is_in_chongqing and is_key_post and is_employer_in_key_cluster) as h14b_in_key_post
    from by_row_rows
    group by grad_year, inst_code, degree_level, degree_type, discipline_code, degree_point_id, cluster_code
),

by_row as (
    select
        grad_year,
        cast(grad_year as text) as period_code,
        case grouping(inst_code, degree_level, degree_type, substr(discipline_code, 1, 2), discipline_code, degree_point_id, cluster_code)
            when 127 then 'city'
            when 63 then 'institution'
            when 79 then 'level_type'
            when 119 then 'category'
            when 123 then 'discipline'
            when 15 then 'institution_level_type'
            when 55 then 'institution_category'
            when 59 then 'institution_discipline'
            when 125 then 'degree_point'
            when 126 then 'cluster'
        end as grain,
        case grouping(inst_code, degree_level, degree_type, substr(discipline_code, 1, 2), discipline_code, degree_point_id, cluster_code)
            when 127 then '{{ var("city_code") }}'
            when 63 then inst_code
            when 79 then degree_level || '-' || degree_type
            when 119 then substr(discipline_code, 1, 2)
            when 123 then discipline_code
            when 15 then inst_code || '-' || degree_level || '-' || degree_type
            when 55 then inst_code || '-' || substr(discipline_code, 1, 2)
            when 59 then inst_code || '-' || discipline_code
            when 125 then degree_point_id
            when 126 then cluster_code
        end as unit_code,
        sum(h02_graduates) as h02_graduates,
        sum(h02_graduates_in_cluster) as h02_graduates_in_cluster,
        sum(h13_here) as h13_here,
        sum(h13_graduates) as h13_graduates,
        sum(h13_employed) as h13_employed,
        sum(h13c_here) as h13c_here,
        sum(h13_verified) as h13_verified,
        sum(h14_graduates) as h14_graduates,
        sum(h14_in_key_post) as h14_in_key_post,
        sum(h14b_graduates) as h14b_graduates,
        sum(h14b_in_key_post) as h14b_in_key_post
    from by_row_together
    group by grouping sets (
        (grad_year),
        (grad_year, inst_code),
        (grad_year, degree_level, degree_type),
        (grad_year, substr(discipline_code, 1, 2)),
        (grad_year, discipline_code),
        (grad_year, inst_code, degree_level, degree_type),
        (grad_year, inst_code, substr(discipline_code, 1, 2)),
        (grad_year, inst_code, discipline_code),
        (grad_year, degree_point_id),
        (grad_year, cluster_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('H02d', 1, cast(c.h02_graduates_in_cluster as double precision), cast(c.h02_graduates as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
    and c.grain in ('city', 'institution', 'cluster')
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('H13a', 1, cast(c.h13_here as double precision), cast(c.h02_graduates as double precision), cast(null as double precision)),
        ('H13b', 1, cast(c.h13_here as double precision), cast(c.h13_graduates as double precision), cast(null as double precision)),
        ('H13c', 1, cast(c.h13c_here as double precision), cast(c.h13_employed as double precision), cast(null as double precision)),
        ('H13v', 1, cast(c.h13_verified as double precision), cast(c.h13_graduates as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
    and c.grain in ('city', 'institution', 'level_type', 'category', 'discipline', 'institution_level_type', 'institution_category', 'institution_discipline', 'degree_point')
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('H14', 1, cast(c.h14_in_key_post as double precision), cast(c.h14_graduates as double precision), cast(null as double precision)),
        ('H14b', 1, cast(c.h14b_in_key_post as double precision), cast(c.h14b_graduates as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
    and c.grain in ('city', 'institution')
