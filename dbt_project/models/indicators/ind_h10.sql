{% set grains = ['city', 'institution', 'cluster'] -%}
with yearly as (
    select signed_year, {{ grain_columns(grains) }}, count(distinct contract_no_digest) as contracts
    from {{ ref('fct_commissioned_project') }}
    where {{ is_commissioned('client_kind', 'fund_source_code') }} and signed_on <= {{ as_of() }}
    {{ by_grain(['signed_year'], grains) }}
),

counted as (
    select
        p.period_code,
        y.grain,
        y.unit_code,
        {% set within = {
            'contracts': 'y.signed_year = p.period_year',
            'contracts_base_year': 'y.signed_year = ' ~ var('base_year'),
            'contracts_year_before': 'y.signed_year = p.period_year - 1',
            'contracts_three_years': 'y.signed_year between p.period_year - 2 and p.period_year',
            'contracts_three_years_before': 'y.signed_year between p.period_year - 3 and p.period_year - 1',
        } -%}
        {% for name, years in within.items() -%}
        coalesce(sum(y.contracts) filter (where {{ years }}), 0) as {{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('ind_period') }} as p
    inner join yearly as y
        on y.signed_year between p.period_year - 3 and p.period_year or y.signed_year = {{ var('base_year') }}
    where p.period_basis = 'CY'
    group by p.period_code, y.grain, y.unit_code
)

{{ variant_rows('counted', {
    'H10': ['contracts'],
    'H10a': ['contracts', 'contracts_base_year'],
    'H10b': ['contracts', 'contracts_year_before'],
    'H10c': ['contracts_three_years', 'contracts_three_years_before'],
}) }}
