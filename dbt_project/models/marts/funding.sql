with entries as (
    select
        fiscal_year,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        fund_source_code,
        bool_and(is_fiscal_source) as is_fiscal_source,
        purpose_code,
        coalesce(sum(amount_cny) filter (where direction_code = 'IN'), 0) as income_cny,
        coalesce(sum(amount_cny) filter (where direction_code = 'OUT'), 0) as spending_cny,
        coalesce(sum(amount_cny) filter (where is_allocable), 0) as allocable_cny,
        coalesce(sum(amount_cny) filter (where is_allocable and is_performance_funded), 0) as performance_cny,
        coalesce(sum(amount_cny) filter (where direction_code = 'IN' and list_project_id is not null), 0) as list_project_cny,
        count(*) as entry_count
    from {{ ref('fct_fund_ledger') }}
    where fiscal_year between 2022 and {{ this_year() }}
    group by grouping sets (
        (fiscal_year, fund_source_code, purpose_code),
        (fiscal_year, fund_source_code, purpose_code, inst_code)
    )
),

dated as (
    select *, {{ make_date('fiscal_year', 12, 31) }} as period_end_on
    from entries
)

select
    e.fiscal_year,
    e.period_end_on,
    {{ completeness('e.period_end_on') }},
    e.unit_code,
    nullif(e.unit_code, '{{ var("city_code") }}') as inst_code,
    coalesce(institution.inst_name, '全市') as unit_name_zh,
    coalesce(institution.inst_order, 0) as inst_order,
    e.fund_source_code,
    {{ label_zh('source.name_zh') }} as fund_source_zh,
    {{ label_en('source.name_en') }} as fund_source_en,
    e.is_fiscal_source,
    e.purpose_code,
    {{ label_zh('purpose.name_zh') }} as purpose_zh,
    {{ label_en('purpose.name_en') }} as purpose_en,
    cast(e.income_cny as double precision) as income_cny,
    cast(e.spending_cny as double precision) as spending_cny,
    cast(e.income_cny / nullif(sum(e.income_cny) over unit_year, 0) as double precision) as income_share,
    cast(e.spending_cny / nullif(sum(e.spending_cny) over unit_year, 0) as double precision) as spending_share,
    cast(e.allocable_cny as double precision) as allocable_cny,
    cast(e.performance_cny as double precision) as performance_cny,
    cast(e.list_project_cny as double precision) as list_project_cny,
    cast(e.entry_count as integer) as entry_count,
    {{ provenance_columns() }}
from dated as e
{{ join_institution_of('e.unit_code') }}
{{ join_name('fund_source', 'e.fund_source_code', 'source') }}
{{ join_name('fund_purpose', 'e.purpose_code', 'purpose') }}
window unit_year as (partition by e.fiscal_year, e.unit_code)
