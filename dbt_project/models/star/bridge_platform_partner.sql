-- Platform and partner, a row per record: one partner may come, leave and come again.
select
    p.partner_record_id,
    p.platform_id,
    {{ platform_key('p.platform_id') }} as platform_key,
    {{ partner_key('p.partner_kind', 'p.partner_id') }} as partner_key,
    p.partner_kind as partner_kind_code,
    p.signed_on,
    p.from_on,
    p.to_on,
    platform.inst_code,
    platform.institution_key,
    p.from_on <= {{ as_of() }} and (p.to_on is null or p.to_on >= {{ as_of() }}) as is_open
from {{ source('accepted', 'platform_partner') }} as p
left join {{ ref('dim_platform') }} as platform on platform.platform_id = p.platform_id
