-- H07：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_achievement_year': 'calendar_year'}}) }}
with by_canonical_id_rows as (
    select
        f.calendar_year,
        f.canonical_id,
        f.kind_code,
        count(*) over (partition by f.calendar_year, f.canonical_id) as rows_of_key
    from {{ ref('fct_achievement_year') }} as f
    where f.calendar_year is not null and f.canonical_id is not null and {{ touched('f.calendar_year') }}
),

by_canonical_id_alone as (
    select
        calendar_year,
        count(*) as h07_achievements,
        count(*) filter (where kind_code in ('40', '50')) as h07a_achievements,
        count(*) filter (where not kind_code in ('40', '50')) as h07b_achievements
    from by_canonical_id_rows
    where rows_of_key = 1
    group by calendar_year
),

by_canonical_id_repeated as (
    select
        r.*
    from by_canonical_id_rows as r
    where r.rows_of_key > 1
),

by_canonical_id_once as (
    select
        calendar_year,
        canonical_id,
        'city' as grain,
        '{{ var("city_code") }}' as unit_code,
        true as h07_achievements,
        bool_or(kind_code in ('40', '50')) as h07a_achievements,
        bool_or(not kind_code in ('40', '50')) as h07b_achievements
    from by_canonical_id_repeated
    group by grouping sets (
        (calendar_year, canonical_id)
    )
),

by_canonical_id_parts as (
    select
        calendar_year,
        'city' as grain,
        '{{ var("city_code") }}' as unit_code,
        sum(h07_achievements) as h07_achievements,
        sum(h07a_achievements) as h07a_achievements,
        sum(h07b_achievements) as h07b_achievements
    from by_canonical_id_alone
    group by grouping sets (
        (calendar_year)
    )

    union all

    select
        calendar_year,
        grain,
        unit_code,
        count(*) filter (where h07_achievements) as h07_achievements,
        count(*) filter (where h07a_achievements) as h07a_achievements,
        count(*) filter (where h07b_achievements) as h07b_achievements
    from by_canonical_id_once
    group by calendar_year, grain, unit_code
),

by_canonical_id as (
    select
        calendar_year,
        cast(calendar_year as text) as period_code,
        grain,
        unit_code,
        sum(h07_achievements) as h07_achievements,
        sum(h07a_achievements) as h07a_achievements,
        sum(h07b_achievements) as h07b_achievements
    from by_canonical_id_parts
    group by calendar_year, grain, unit_code
),

by_row_rows as (
    select
        f.calendar_year,
        f.inst_code,
        f.credit_share,
        f.kind_code
    from {{ ref('fct_achievement_year') }} as f
    where f.calendar_year is not null and {{ touched('f.calendar_year') }}
),

by_row_together as (
    select
        calendar_year,
        inst_code,
        coalesce(sum(credit_share), 0) as h07_credits,
        coalesce(sum(credit_share) filter (where kind_code in ('40', '50')), 0) as h07a_credits,
        coalesce(sum(credit_share) filter (where not kind_code in ('40', '50')), 0) as h07b_credits
    from by_row_rows
    group by calendar_year, inst_code
),

by_row as (
    select
        calendar_year,
        cast(calendar_year as text) as period_code,
        case grouping(inst_code)
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 0 then inst_code
        end as unit_code,
        sum(h07_credits) as h07_credits,
        sum(h07a_credits) as h07a_credits,
        sum(h07b_credits) as h07b_credits
    from by_row_together
    group by grouping sets (
        (calendar_year, inst_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_canonical_id as c
cross join lateral (
    values
        ('H07', 1, cast(c.h07_achievements as double precision), cast(null as double precision), cast(null as double precision)),
        ('H07a', 1, cast(c.h07a_achievements as double precision), cast(null as double precision), cast(null as double precision)),
        ('H07b', 1, cast(c.h07b_achievements as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('H07', 1, cast(c.h07_credits as double precision), cast(null as double precision), cast(null as double precision)),
        ('H07a', 1, cast(c.h07a_credits as double precision), cast(null as double precision), cast(null as double precision)),
        ('H07b', 1, cast(c.h07b_credits as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
