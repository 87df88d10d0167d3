{{ config(follows={
    'key': 'project_id', 'rows': {'commissioned_project': 'project_id'},
    'looks_up': {'dim_supervisor': ['supervisor_id', 'pi_supervisor_id']},
}) }}
select
    p.project_id,
    {{ present_institution('p.inst_code') }} as inst_code,
    {{ key(present_institution('p.inst_code')) }} as institution_key,
    p.unit_code,
    {{ key('p.inst_code', 'p.unit_code') }} as org_unit_key,
    p.pi_supervisor_id,
    supervisor_then.supervisor_key,
    p.client_uscc,
    {{ enterprise_key('p.client_uscc') }} as enterprise_key,
    p.client_kind,
    client_kind.name_zh as client_kind_name,
    p.client_country_code,
    p.fund_source_code,
    fund_source.name_zh as fund_source_name,
    p.contract_no_digest,
    p.tech_contract_reg_no,
    p.signed_on,
    {{ year_of('p.signed_on') }} as signed_year,
    p.contract_amount as contract_amount_cny,
    p.cluster_code,
    p.status_code,
    status.name_zh as status_name,
    p.graduate_involved as is_graduate_involved
from {{ source('accepted', 'commissioned_project') }} as p
{{ join_version_then('dim_supervisor', 'p.pi_supervisor_id', 'p.signed_on') }}
{{ join_name('client_kind', 'p.client_kind', 'client_kind') }}
{{ join_name('fund_source', 'p.fund_source_code', 'fund_source') }}
{{ join_name('project_state', 'p.status_code', 'status') }}
where {{ touched('p.project_id') }}
