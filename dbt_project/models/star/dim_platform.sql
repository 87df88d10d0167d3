-- Each platform of the commission's register, as accepted today. A platform without a leading institution has no institution.
select
    {{ platform_key('p.platform_id') }} as platform_key,
    p.platform_id,
    p.kind_code as platform_kind_code,
    kind.name_zh as platform_kind_name,
    case when p.kind_code like 'P%' then p.kind_code end as list_item_id,
    p.name as platform_name,
    {{ present_institution('p.lead_inst_code') }} as inst_code,
    {{ key(present_institution('p.lead_inst_code')) }} as institution_key,
    p.level_code,
    level.name_zh as level_name,
    p.field_code,
    field.name_zh as field_name,
    p.cluster_code,
    p.region_code,
    p.country_code,
    p.country_code <> 'CHN' as is_abroad,
    p.approved_on,
    p.opened_on,
    p.certified_on,
    p.closed_on,
    p.doc_no,
    p.status_code,
    status.name_zh as status_name,
    p.kind_code in ('P08', 'B1') as is_training_base,
    p.kind_code in ('K1', 'K2', 'K3') as is_major_platform,
    coalesce(p.opened_on <= {{ as_of() }}, false) and p.status_code in ('20', '30') as is_running
from {{ source('accepted', 'platform_base') }} as p
{{ join_name('platform_kind', 'p.kind_code', 'kind') }}
{{ join_name('award_level', 'p.level_code', 'level') }}
{{ join_name('platform_field', 'p.field_code', 'field') }}
{{ join_name('platform_status', 'p.status_code', 'status') }}
