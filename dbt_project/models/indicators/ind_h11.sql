{% set grains = ['city', 'institution', 'cluster'] -%}
with yearly_receipts as (
    select received_year, {{ grain_columns(grains) }}, sum(net_amount_cny) as receipts
    from {{ ref('fct_commissioned_receipt') }}
    -- a receipt whose project is not accepted has neither client nor source, and is out of scope
    where {{ is_commissioned('client_kind', 'fund_source_code') }}
        and received_on <= {{ as_of() }}
    {{ by_grain(['received_year'], grains) }}
),

receipts_counted as (
    select
        p.period_code,
        y.grain,
        y.unit_code,
        coalesce(sum(y.receipts) filter (where y.received_year = p.period_year), 0) as receipts,
        coalesce(sum(y.receipts) filter (where y.received_year = p.period_year - 1), 0) as receipts_year_before,
        coalesce(sum(y.receipts) filter (where y.received_year = {{ var('base_year') }}), 0) as receipts_base_year
    from {{ ref('ind_period') }} as p
    inner join yearly_receipts as y on y.received_year in (p.period_year, p.period_year - 1, {{ var('base_year') }})
    where p.period_basis = 'CY'
    group by p.period_code, y.grain, y.unit_code
),

-- H11s: one contract reported by several institutions is counted once, at its greatest amount
contracts as (
    select
        signed_year,
        {{ grain_columns(grains) }},
        contract_no_digest,
        max(contract_amount_cny) as amount
    from {{ ref('fct_commissioned_project') }}
    where {{ is_commissioned('client_kind', 'fund_source_code') }} and signed_on <= {{ as_of() }}
    {{ by_grain(['signed_year', 'contract_no_digest'], grains) }}
),

contracts_counted as (
    select {{ year_code('signed_year') }} as period_code, grain, unit_code, sum(amount) as amount
    from contracts
    group by signed_year, grain, unit_code
)

{{ variant_rows('receipts_counted', {
    'H11': ['receipts'],
    'H11a': ['receipts', 'receipts_base_year'],
    'H11b': ['receipts', 'receipts_year_before'],
}) }}
union all
{{ variant_rows('contracts_counted', {'H11s': ['amount']}) }}
