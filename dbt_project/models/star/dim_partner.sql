-- Whom platforms are built with: every partner that a record names, once, with what the directories know of it.
with named as (
    select partner_kind as kind_code, partner_id as code, bool_or(is_double_first_class) as is_double_first_class
    from {{ source('accepted', 'platform_partner') }}
    group by partner_kind, partner_id
)

select
    {{ partner_key('n.kind_code', 'n.code') }} as partner_key,
    n.kind_code as partner_kind_code,
    kind.name_zh as partner_kind_name,
    n.code as partner_code,
    case n.kind_code
        when '10' then coalesce(i.inst_name, '市外高校（' || n.code || '）')
        when '30' then e.enterprise_name
        when '40' then g.region_name
        else n.code
    end as partner_name,
    i.inst_code,
    i.institution_key,
    e.enterprise_key,
    e.cluster_code,
    coalesce(i.region_code, e.region_code, g.region_code) as region_code,
    n.kind_code = '10' and i.inst_code is null as is_outside_university,
    coalesce(n.is_double_first_class, false) as is_double_first_class
from named as n
left join {{ ref('dim_institution') }} as i on n.kind_code = '10' and i.inst_code = {{ present_institution('n.code') }}
left join {{ ref('dim_enterprise') }} as e on n.kind_code = '30' and e.uscc = n.code
left join {{ ref('dim_geography') }} as g on n.kind_code = '40' and g.region_code = n.code
{{ join_name('platform_partner_kind', 'n.kind_code', 'kind') }}
