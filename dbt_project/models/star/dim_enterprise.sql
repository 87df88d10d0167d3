-- Facts may name a unit that the commission's directory does not have: it is a member too, so that no join loses them.
with named as (
    select employer_uscc as uscc from {{ source('accepted', 'employment') }}
    union
    select enterprise_uscc from {{ source('accepted', 'thesis') }}
    union
    select employer_uscc from {{ ref('dim_supervisor') }}
    union
    select client_uscc from {{ source('accepted', 'commissioned_project') }}
    union
    select enterprise_uscc from {{ source('accepted', 'practice_project') }}
    union
    select employer_uscc from {{ source('accepted', 'employer_survey') }}
    union
    select partner_id from {{ source('accepted', 'platform_partner') }} where partner_kind = '30'
    union
    select counterpart_code from {{ source('accepted', 'district_pairing') }} where pairing_level = '3'
    union
    select partner.item
    from {{ source('accepted', 'degree_point') }} as p
    {{ each_item('p.joint_partner_uscc', 'partner') }}
),

members as (
    select uscc from {{ source('accepted', 'enterprise') }}
    union
    select uscc from named where uscc is not null
)

select
    {{ enterprise_key('m.uscc') }} as enterprise_key,
    m.uscc,
    case when e.uscc is null then '名录未收录的单位' else e.name end as enterprise_name,
    e.uscc is not null as is_in_directory,
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
from members as m
left join {{ source('accepted', 'enterprise') }} as e on e.uscc = m.uscc
{{ join_name('org_kind', 'e.org_kind', 'org_kind') }}
left join {{ ref('industry') }} as industry on coalesce(industry.section_division_code, industry.code) = e.industry_code
