-- M10.1, M15.1：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_platform_partner_year': 'calendar_year'}}) }}
with by_partner_key_rows as (
    select
        f.calendar_year,
        f.partner_key,
        f.inst_code,
        f.platform_kind_code,
        f.is_outside_first_class,
        f.is_in_special_training,
        count(*) over (partition by f.calendar_year, f.partner_key) as rows_of_key
    from {{ ref('fct_platform_partner_year') }} as f
    where f.calendar_year is not null and f.partner_key is not null and {{ touched('f.calendar_year') }}
),

by_partner_key_alone as (
    select
        calendar_year,
        inst_code,
        count(*) filter (where platform_kind_code = 'P01' and is_outside_first_class) as m10_1_universities,
        count(*) filter (where is_in_special_training) as m15_1_partners
    from by_partner_key_rows
    where rows_of_key = 1
    group by calendar_year, inst_code
),

by_partner_key_repeated as (
    select
        r.*
    from by_partner_key_rows as r
    where r.rows_of_key > 1
),

by_partner_key_once as (
    select
        calendar_year,
        partner_key,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        bool_or(platform_kind_code = 'P01' and is_outside_first_class) as m10_1_universities,
        bool_or(is_in_special_training) as m15_1_partners
    from by_partner_key_repeated
    group by grouping sets (
        (calendar_year, partner_key),
        (calendar_year, partner_key, inst_code)
    )
),

by_partner_key_parts as (
    select
        calendar_year,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m10_1_universities) as m10_1_universities,
        sum(m15_1_partners) as m15_1_partners
    from by_partner_key_alone
    group by grouping sets (
        (calendar_year),
        (calendar_year, inst_code)
    )

    union all

    select
        calendar_year,
        grain,
        unit_code,
        count(*) filter (where m10_1_universities) as m10_1_universities,
        count(*) filter (where m15_1_partners) as m15_1_partners
    from by_partner_key_once
    group by calendar_year, grain, unit_code
),

by_partner_key as (
    select
        calendar_year,
        cast(calendar_year as text) as period_code,
        grain,
        unit_code,
        sum(m10_1_universities) as m10_1_universities,
        sum(m15_1_partners) as m15_1_partners
    from by_partner_key_parts
    group by calendar_year, grain, unit_code
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_partner_key as c
cross join lateral (
    values
        ('M10.1d', 1, cast(c.m10_1_universities as double precision), cast(null as double precision), cast(null as double precision)),
        ('M15.1p', 1, cast(c.m15_1_partners as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
