select
    r.receipt_id,
    r.project_id,
    project.project_id is not null as is_project_accepted,
    {{ present_institution('coalesce(project.inst_code, r.src_inst_code)') }} as inst_code,
    {{ key(present_institution('coalesce(project.inst_code, r.src_inst_code)')) }} as institution_key,
    project.org_unit_key,
    project.enterprise_key,
    project.client_kind,
    project.fund_source_code,
    project.cluster_code,
    project.contract_no_digest,
    r.received_on,
    {{ year_of('r.received_on') }} as received_year,
    r.amount as amount_cny,
    r.is_refund,
    case when r.is_refund then -r.amount else r.amount end as net_amount_cny
from {{ source('accepted', 'commissioned_receipt') }} as r
left join {{ ref('fct_commissioned_project') }} as project on project.project_id = r.project_id
