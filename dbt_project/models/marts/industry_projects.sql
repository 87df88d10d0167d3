{% set key = ['project_year', 'inst_code', 'cluster_code', 'client_kind', 'is_headline_scope'] -%}
with contracts as (
    -- one contract once per row, at its greatest reported amount
    select
        signed_year as project_year,
        inst_code,
        {{ code_or_none('cluster_code') }} as cluster_code,
        client_kind,
        {{ is_commissioned('client_kind', 'fund_source_code') }} as is_headline_scope,
        contract_no_digest,
        max(coalesce(client_uscc, contract_no_digest)) as client,
        max(contract_amount_cny) as amount
    from {{ ref('fct_commissioned_project') }}
    where signed_on <= {{ as_of() }}
    group by 1, 2, 3, 4, 5, 6
),

by_client as (
    select {{ key | join(', ') }}, client, sum(amount) as amount
    from contracts
    group by {{ key | join(', ') }}, client
),

largest as (
    select {{ key | join(', ') }}, count(*) as clients, max(amount) as amount
    from by_client
    group by {{ key | join(', ') }}
),

signed as (
    select
        {{ key | join(', ') }},
        count(*) as contracts,
        sum(amount) as amount,
        cast(percentile_cont(0.5) within group (order by amount) as numeric(16, 2)) as median_amount
    from contracts
    group by {{ key | join(', ') }}
),

received as (
    select
        received_year as project_year,
        inst_code,
        {{ code_or_none('cluster_code') }} as cluster_code,
        {{ code_or_none('client_kind') }} as client_kind,
        coalesce({{ is_commissioned('client_kind', 'fund_source_code') }}, false) as is_headline_scope,
        coalesce(sum(amount_cny) filter (where not is_refund), 0) as receipts,
        coalesce(sum(amount_cny) filter (where is_refund), 0) as refunds,
        sum(net_amount_cny) as net_receipts
    from {{ ref('fct_commissioned_receipt') }}
    where received_on <= {{ as_of() }}
    group by 1, 2, 3, 4, 5
),

joined as (
    select
        {% for column in key %}coalesce(s.{{ column }}, r.{{ column }}) as {{ column }},
        {% endfor -%}
        s.contracts, s.amount, s.median_amount, l.clients, l.amount as largest_amount, r.receipts, r.refunds, r.net_receipts
    from signed as s
    {%- for part, alias, how in [('largest', 'l', 'inner'), ('received', 'r', 'full')] %}
    {{ how }} join {{ part }} as {{ alias }}
        on {% for column in key %}{{ 'and ' if not loop.first }}{{ alias }}.{{ column }} = s.{{ column }} {% endfor %}
    {%- endfor %}
)

select
    j.project_year,
    {{ make_date('j.project_year', 12, 31) }} as period_end_on,
    {{ completeness(make_date('j.project_year', 12, 31)) }},
    j.inst_code,
    institution.inst_name,
    institution.inst_order,
    j.cluster_code,
    case when j.cluster_code = '-' then '未指明' else {{ label_zh('named.cluster_name') }} end as cluster_zh,
    {{ label_en('cluster.name_en') }} as cluster_en,
    j.client_kind,
    {{ label_zh('client_kind.name_zh') }} as client_kind_zh,
    {{ label_en('client_kind.name_en') }} as client_kind_en,
    j.is_headline_scope,
    cast(coalesce(j.contracts, 0) as integer) as contract_count,
    cast(coalesce(j.clients, 0) as integer) as client_count,
    cast(coalesce(j.amount, 0) as numeric(18, 2)) as signed_amount_cny,
    j.median_amount as median_contract_amount_cny,
    cast(j.largest_amount / nullif(j.amount, 0) as double precision) as top_client_share,
    cast(coalesce(j.receipts, 0) as numeric(18, 2)) as receipt_amount_cny,
    cast(coalesce(j.refunds, 0) as numeric(18, 2)) as refund_amount_cny,
    cast(coalesce(j.net_receipts, 0) as numeric(18, 2)) as net_receipt_amount_cny,
    {{ provenance_columns() }}
from joined as j
{{ join_institution('j') }}
{{ join_name('client_kind', 'j.client_kind', 'client_kind') }}
left join {{ ref('dim_cluster') }} as named on named.cluster_code = j.cluster_code
left join {{ ref('cluster') }} as cluster on cluster.code = j.cluster_code
