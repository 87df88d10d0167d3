-- Whom platforms are built with and institutions are paired with: every partner that a record names, once, with what the directories know of it.
with given as (
    select partner_kind as kind_code, partner_id as code, is_double_first_class
    from {{ source('accepted', 'platform_partner') }}

    union all

    select {{ counterpart_kind('pairing_level') }}, counterpart_code, false
    from {{ source('accepted', 'district_pairing') }}
),

named as (
    select kind_code, code, bool_or(is_double_first_class) as is_double_first_class
    from given
    where kind_code is not null
    group by kind_code, code
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
        when '80' then c.cluster_name
        else n.code
    end as partner_name,
    i.inst_code,
    i.institution_key,
    e.enterprise_key,
    coalesce(e.cluster_code, c.cluster_code) as cluster_code,
    coalesce(i.region_code, e.region_code, g.region_code) as region_code,
    n.kind_code = '10' and i.inst_code is null as is_outside_university,
    coalesce(n.is_double_first_class, false) as is_double_first_class
from named as n
left join {{ ref('dim_institution') }} as i on n.kind_code = '10' and i.inst_code = {{ present_institution('n.code') }}
left join {{ ref('dim_enterprise') }} as e on n.kind_code = '30' and e.uscc = n.code
left join {{ ref('dim_geography') }} as g on n.kind_code = '40' and g.region_code = n.code
left join {{ ref('dim_cluster') }} as c on n.kind_code = '80' and c.cluster_code = n.code
{{ join_name('platform_partner_kind', 'n.kind_code', 'kind') }}
