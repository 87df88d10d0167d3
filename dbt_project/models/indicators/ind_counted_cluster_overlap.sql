-- H02：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_cluster_overlap': 'award_year'}}) }}
with by_row_rows as (
    select
        f.award_year,
        f.inst_code,
        f.overlap_share,
        f.is_of_city,
        f.cluster_code
    from {{ ref('fct_cluster_overlap') }} as f
    where f.award_year is not null and {{ touched('f.award_year') }}
),

by_row_together as (
    select
        award_year,
        inst_code,
        cluster_code,
        coalesce(sum(overlap_share) filter (where is_of_city), 0) as h02_overlap_of_city,
        coalesce(sum(overlap_share) filter (where not is_of_city), 0) as h02_overlap_of_institution
    from by_row_rows
    group by award_year, inst_code, cluster_code
),

by_row as (
    select
        award_year,
        cast(award_year as text) as period_code,
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
        sum(h02_overlap_of_city) as h02_overlap_of_city,
        sum(h02_overlap_of_institution) as h02_overlap_of_institution
    from by_row_together
    group by grouping sets (
        (award_year),
        (award_year, inst_code),
        (award_year, cluster_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('H02c', 1, cast(c.h02_overlap_of_city as double precision), cast(1 as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
    and c.grain in ('city', 'cluster')
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('H02c', 1, cast(c.h02_overlap_of_institution as double precision), cast(1 as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
    and c.grain in ('institution')
