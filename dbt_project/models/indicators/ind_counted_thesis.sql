-- H12：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_thesis': 'opened_academic_year'}, 'days': {'fct_thesis': ['opened_on']}}) }}
with by_row_rows as (
    select
        f.opened_academic_year,
        f.inst_code,
        f.degree_level,
        f.degree_type,
        f.discipline_code,
        f.opened_on,
        f.is_frontline_evidenced,
        case when f.discipline_code is not null then f.degree_point_id end as degree_point_id
    from {{ ref('fct_thesis') }} as f
    where f.opened_academic_year is not null and {{ touched('f.opened_academic_year') }}
),

by_row_together as (
    select
        opened_academic_year,
        inst_code,
        degree_level,
        degree_type,
        degree_point_id,
        count(*) filter (where opened_on <= {{ as_of() }}) as h12_theses,
        count(*) filter (where opened_on <= {{ as_of() }} and is_frontline_evidenced) as h12_frontline
    from by_row_rows
    group by opened_academic_year, inst_code, degree_level, degree_type, degree_point_id
),

by_row as (
    select
        opened_academic_year,
        opened_academic_year as period_code,
        case grouping(inst_code, degree_level, degree_type, degree_point_id)
            when 15 then 'city'
            when 7 then 'institution'
            when 9 then 'level_type'
            when 1 then 'institution_level_type'
            when 14 then 'degree_point'
        end as grain,
        case grouping(inst_code, degree_level, degree_type, degree_point_id)
            when 15 then '{{ var("city_code") }}'
            when 7 then inst_code
            when 9 then degree_level || '-' || degree_type
            when 1 then inst_code || '-' || degree_level || '-' || degree_type
            when 14 then degree_point_id
        end as unit_code,
        sum(h12_theses) as h12_theses,
        sum(h12_frontline) as h12_frontline
    from by_row_together
    group by grouping sets (
        (opened_academic_year),
        (opened_academic_year, inst_code),
        (opened_academic_year, degree_level, degree_type),
        (opened_academic_year, inst_code, degree_level, degree_type),
        (opened_academic_year, degree_point_id)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('H12c', 1, cast(c.h12_frontline as double precision), cast(c.h12_theses as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
