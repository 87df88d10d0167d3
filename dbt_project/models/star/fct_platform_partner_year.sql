-- Whom a running platform is built with at the end of a calendar year, one row per platform and partner
with training as (
    select census_year, platform_id
    from {{ ref('fct_enrolment_census') }}
    where special_programme_code in ('02', '03', '04', '08') and platform_id is not null
    group by census_year, platform_id
)

select
    y.calendar_year,
    y.platform_id,
    y.platform_key,
    y.platform_kind_code,
    b.partner_key,
    b.partner_kind_code,
    y.inst_code,
    y.institution_key,
    p.is_outside_university and p.is_double_first_class as is_outside_first_class,
    t.platform_id is not null as is_in_special_training
from {{ ref('fct_platform_base_year') }} as y
inner join {{ ref('dim_date') }} as d on d.calendar_year = y.calendar_year and d.month_number = 12 and d.day_number = 31
inner join {{ ref('bridge_platform_partner') }} as b
    on b.platform_id = y.platform_id and b.from_on <= least(d.date_on, {{ as_of() }})
    and (b.to_on is null or b.to_on >= least(d.date_on, {{ as_of() }}))
inner join {{ ref('dim_partner') }} as p on p.partner_key = b.partner_key
left join training as t on t.platform_id = y.platform_id and t.census_year = y.calendar_year
where y.is_running
group by
    y.calendar_year, y.platform_id, y.platform_key, y.platform_kind_code, b.partner_key, b.partner_kind_code, y.inst_code,
    y.institution_key, p.is_outside_university, p.is_double_first_class, t.platform_id
