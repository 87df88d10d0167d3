-- M09.1, M12.1：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_platform_base_year': 'calendar_year'}}) }}
with by_row_rows as (
    select
        f.calendar_year,
        f.inst_code,
        f.is_training_base,
        f.is_running,
        f.student_count,
        f.enterprise_mentor_count,
        f.material_count,
        f.is_major_platform,
        f.is_paired
    from {{ ref('fct_platform_base_year') }} as f
    where f.calendar_year is not null and {{ touched('f.calendar_year') }}
),

by_row_together as (
    select
        calendar_year,
        inst_code,
        count(*) filter (where is_training_base and is_running) as m09_1_bases,
        coalesce(sum(student_count) filter (where is_training_base and is_running), 0) as m09_1_students,
        coalesce(sum(enterprise_mentor_count) filter (where is_training_base and is_running), 0) as m09_1_mentors,
        coalesce(sum(material_count) filter (where is_training_base and is_running), 0) as m09_1_materials,
        count(*) filter (where is_major_platform and is_running) as m12_1_platforms,
        count(*) filter (where is_major_platform and is_running and is_paired) as m12_1_paired
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
        sum(m09_1_bases) as m09_1_bases,
        sum(m09_1_students) as m09_1_students,
        sum(m09_1_mentors) as m09_1_mentors,
        sum(m09_1_materials) as m09_1_materials,
        sum(m12_1_platforms) as m12_1_platforms,
        sum(m12_1_paired) as m12_1_paired
    from by_row_together
    group by grouping sets (
        (calendar_year),
        (calendar_year, inst_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M09.1', 1, cast(c.m09_1_bases as double precision), cast(null as double precision), cast(null as double precision)),
        ('M09.1s', 1, cast(c.m09_1_students as double precision), cast(c.m09_1_bases as double precision), cast(null as double precision)),
        ('M09.1e', 1, cast(c.m09_1_mentors as double precision), cast(c.m09_1_bases as double precision), cast(null as double precision)),
        ('M09.1c', 1, cast(c.m09_1_materials as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M12.1', 1, cast(c.m12_1_paired as double precision), cast(c.m12_1_platforms as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
    and c.grain in ('city')
