with partners as (
    select distinct p.degree_point_id, partner.item as partner_uscc
    from {{ source('accepted', 'degree_point') }} as p
    {{ each_item('p.joint_partner_uscc', 'partner') }}
    where p.is_joint_built
)

select
    p.degree_point_id,
    degree_point.degree_point_key,
    degree_point.inst_code,
    degree_point.institution_key,
    p.partner_uscc,
    {{ enterprise_key('p.partner_uscc') }} as enterprise_key,
    1.0 / count(*) over (partition by p.degree_point_id) as weight_share
from partners as p
inner join {{ ref('dim_degree_point') }} as degree_point
    on degree_point.degree_point_id = p.degree_point_id and degree_point.is_current
