-- M17.1, M17.3：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
with by_person_key_rows as (
    select
        f.selected_year,
        f.person_key,
        f.inst_code,
        f.selected_on,
        f.purpose_code,
        f.is_departed,
        count(*) over (partition by f.selected_year, f.person_key) as rows_of_key
    from {{ ref('fct_overseas_study') }} as f
    where f.selected_year is not null and f.person_key is not null and {{ touched('f.selected_year') }}
),

by_person_key_alone as (
    select
        selected_year,
        inst_code,
        count(*) filter (where selected_on <= {{ as_of() }} and purpose_code in ('1', '2')) as m17_1_for_degrees,
        count(*) filter (where selected_on <= {{ as_of() }} and purpose_code in ('1', '2') and is_departed) as m17_1_departed,
        count(*) filter (where selected_on <= {{ as_of() }} and purpose_code in ('1', '2', '3')) as m17_1_with_joint
    from by_person_key_rows
    where rows_of_key = 1
    group by selected_year, inst_code
),

by_person_key_repeated as (
    select
        r.*
    from by_person_key_rows as r
    where r.rows_of_key > 1
),

by_person_key_once as (
    select
        selected_year,
        person_key,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        bool_or(selected_on <= {{ as_of() }} and purpose_code in ('1', '2')) as m17_1_for_degrees,
        bool_or(selected_on <= {{ as_of() }} and purpose_code in ('1', '2') and is_departed) as m17_1_departed,
        bool_or(selected_on <= {{ as_of() }} and purpose_code in ('1', '2', '3')) as m17_1_with_joint
    from by_person_key_repeated
    group by grouping sets (
        (selected_year, person_key),
        (selected_year, person_key, inst_code)
    )
),

by_person_key_parts as (
    select
        selected_year,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m17_1_for_degrees) as m17_1_for_degrees,
        sum(m17_1_departed) as m17_1_departed,
        sum(m17_1_with_joint) as m17_1_with_joint
    from by_person_key_alone
    group by grouping sets (
        (selected_year),
        (selected_year, inst_code)
    )

    union all

    select
        selected_year,
        grain,
        unit_code,
        count(*) filter (where m17_1_for_degrees) as m17_1_for_degrees,
        count(*) filter (where m17_1_departed) as m17_1_departed,
        count(*) filter (where m17_1_with_joint) as m17_1_with_joint
    from by_person_key_once
    group by selected_year, grain, unit_code
),

by_person_key as (
    select
        selected_year,
        cast(selected_year as text) as period_code,
        grain,
        unit_code,
        sum(m17_1_for_degrees) as m17_1_for_degrees,
        sum(m17_1_departed) as m17_1_departed,
        sum(m17_1_with_joint) as m17_1_with_joint
    from by_person_key_parts
    group by selected_year, grain, unit_code
),

by_row_rows as (
    select
        f.departed_academic_year,
        f.inst_code,
        f.purpose_code,
        f.is_departed,
        f.is_recognised
    from {{ ref('fct_overseas_study') }} as f
    where f.departed_academic_year is not null and {{ touched('f.departed_academic_year') }}
),

by_row_together as (
    select
        departed_academic_year,
        inst_code,
        count(*) filter (where purpose_code = '4' and is_departed) as m17_3_practices,
        count(*) filter (where purpose_code = '4' and is_departed and is_recognised) as m17_3_recognised
    from by_row_rows
    group by departed_academic_year, inst_code
),

by_row as (
    select
        departed_academic_year,
        departed_academic_year as period_code,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m17_3_practices) as m17_3_practices,
        sum(m17_3_recognised) as m17_3_recognised
    from by_row_together
    group by grouping sets (
        (departed_academic_year),
        (departed_academic_year, inst_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_person_key as c
cross join lateral (
    values
        ('M17.1', 1, cast(c.m17_1_for_degrees as double precision), cast(null as double precision), cast(null as double precision)),
        ('M17.1-D', 1, cast(c.m17_1_departed as double precision), cast(null as double precision), cast(null as double precision)),
        ('M17.1-J', 1, cast(c.m17_1_with_joint as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M17.3', 1, cast(c.m17_3_recognised as double precision), cast(c.m17_3_practices as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
