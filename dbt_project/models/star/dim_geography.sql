with seen as (
    select region_code from {{ source('accepted', 'institution') }}
    union select region_code from {{ source('accepted', 'enterprise') }}
    union select region_code from {{ source('accepted', 'employment') }}
    union select origin_region_code from {{ source('accepted', 'student') }}
    union select origin_region_code from {{ source('accepted', 'student_versions') }}
    union select region_code from {{ source('accepted', 'platform_base') }}
    union select employer_region_code from {{ source('accepted', 'supervisor_versions') }}
),

known as (
    select
        p.code as region_code,
        p.name_zh as region_name,
        'province' as region_kind,
        cast(null as text) as zone_name,
        true as is_current,
        cast(null as text) as successor_code
    from {{ ref('province') }} as p
    union all
    select d.code, d.name_zh, 'district', d.zone_zh, d.status = 'current', d.successor_code
    from {{ ref('district') }} as d
),

other as (
    select
        s.region_code,
        coalesce(p.name_zh, '未知省份') || '其他地区' as region_name,
        'other' as region_kind,
        cast(null as text) as zone_name,
        true as is_current,
        cast(null as text) as successor_code
    from seen as s
    left join {{ ref('province') }} as p on p.code = substr(s.region_code, 1, 2) || '0000'
    where s.region_code is not null and not exists (select 1 from known as k where k.region_code = s.region_code)
),

regions as (
    select * from known
    union all
    select * from other
)

select
    r.region_code,
    r.region_name,
    r.region_kind,
    substr(r.region_code, 1, 2) || '0000' as province_code,
    p.name_zh as province_name,
    r.zone_name,
    r.region_code like '50%' as is_in_chongqing,
    r.is_current,
    r.successor_code
from regions as r
left join {{ ref('province') }} as p on p.code = substr(r.region_code, 1, 2) || '0000'
