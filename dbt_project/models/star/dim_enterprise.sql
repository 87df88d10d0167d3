select
    {{ enterprise_key('e.uscc') }} as enterprise_key,
    e.uscc,
    e.name as enterprise_name,
    e.org_kind as org_kind_code,
    org_kind.name_zh as org_kind_name,
    e.industry_code,
    industry.name_zh as industry_name,
    e.cluster_code,
    e.region_code,
    e.region_code like '50%' as is_in_chongqing,
    e.is_leading,
    e.list_edition,
    e.valid_from,
    e.valid_to
from {{ ref('stg_enterprise') }} as e
{{ join_name('org_kind', 'e.org_kind', 'org_kind') }}
left join {{ ref('industry') }} as industry on coalesce(industry.section_division_code, industry.code) = e.industry_code
