select
    {{ key('p.inst_code', 'p.project_id') }} as practice_project_key,
    p.project_id,
    {{ present_institution('p.inst_code') }} as inst_code,
    {{ key(present_institution('p.inst_code')) }} as institution_key,
    p.project_name,
    p.is_major_industry,
    p.major_basis_code,
    major_basis.name_zh as major_basis_name,
    p.enterprise_uscc,
    {{ enterprise_key('p.enterprise_uscc') }} as enterprise_key,
    p.platform_id,
    p.cluster_code,
    p.amount as amount_cny,
    p.start_on,
    p.end_on
from {{ source('accepted', 'practice_project') }} as p
{{ join_name('major_basis', 'p.major_basis_code', 'major_basis') }}
