{% set sums = [
    'income_cny', 'spending_cny', 'non_fiscal_cny', 'allocable_cny', 'performance_cny', 'list_project_cny', 'reported_income_cny',
    'reported_spending_cny', 'granted_cny', 'granted_performance_cny', 'training_spending_cny', 'staff_fte', 'degree_count',
] -%}
with money as (
    select
        fiscal_year,
        inst_code,
        sum(amount_cny) filter (where direction_code = 'IN') as income_cny,
        sum(amount_cny) filter (where direction_code = 'OUT') as spending_cny,
        sum(amount_cny) filter (where direction_code = 'IN' and not is_fiscal_source) as non_fiscal_cny,
        sum(amount_cny) filter (where is_allocable) as allocable_cny,
        sum(amount_cny) filter (where is_allocable and is_performance_funded) as performance_cny,
        sum(amount_cny) filter (where direction_code = 'IN' and list_project_id is not null) as list_project_cny
    from {{ ref('fct_fund_ledger') }}
    group by fiscal_year, inst_code
),

-- the newest run of allocation for a year: its scheme starts from the grants of the year before
runs as (
    select
        allocation_id,
        cast(scheme_content ->> 'last_grants' as integer) + 1 as grant_year,
        row_number() over (
            partition by cast(scheme_content ->> 'last_grants' as integer) order by recorded_at desc, allocation_id desc
        ) as recency
    from {{ source('allocation', 'run') }}
),

granted as (
    select runs.grant_year, r.inst_code, r.grant_cny as granted_cny, r.performance_cny as granted_performance_cny
    from runs
    inner join {{ source('allocation', 'result') }} as r on r.allocation_id = runs.allocation_id
    where runs.recency = 1
),

institutions as (
    select
        y.fiscal_year,
        y.inst_code,
        cast(coalesce(m.income_cny, 0) as double precision) as income_cny,
        cast(coalesce(m.spending_cny, 0) as double precision) as spending_cny,
        cast(coalesce(m.non_fiscal_cny, 0) as double precision) as non_fiscal_cny,
        cast(coalesce(m.allocable_cny, 0) as double precision) as allocable_cny,
        cast(coalesce(m.performance_cny, 0) as double precision) as performance_cny,
        cast(coalesce(m.list_project_cny, 0) as double precision) as list_project_cny,
        cast(q.income_total_cny as double precision) as reported_income_cny,
        cast(q.expenditure_total_cny as double precision) as reported_spending_cny,
        cast(g.granted_cny as double precision) as granted_cny,
        g.granted_performance_cny,
        cast(y.training_spending_cny as double precision) as training_spending_cny,
        cast(y.staff_fte as double precision) as staff_fte,
        y.degree_count,
        case
            when q.submitted_on is null or q.income_total_cny is null or q.expenditure_total_cny is null then 'NO-REPORT'
            when abs(q.income_total_cny - coalesce(m.income_cny, 0)) > 0.005 * q.income_total_cny
                or abs(q.expenditure_total_cny - coalesce(m.spending_cny, 0)) > 0.005 * q.expenditure_total_cny then 'MISMATCH'
            else 'BALANCED'
        end as funding_state_code
    from {{ ref('fct_resource_year') }} as y
    left join money as m on m.inst_code = y.inst_code and m.fiscal_year = y.fiscal_year
    left join {{ ref('fct_quality_report') }} as q
        on q.inst_code = y.inst_code and q.report_year = y.fiscal_year and q.is_last_version
    left join granted as g on g.inst_code = y.inst_code and g.grant_year = y.fiscal_year
),

units as (
    select
        fiscal_year,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        {% for column in sums %}sum({{ column }}) as {{ column }},
        {% endfor -%}
        -- the city's is the worst of its institutions'
        case
            when bool_or(funding_state_code = 'MISMATCH') then 'MISMATCH'
            when bool_or(funding_state_code = 'NO-REPORT') then 'NO-REPORT'
            else 'BALANCED'
        end as funding_state_code
    from institutions
    group by grouping sets ((fiscal_year), (fiscal_year, inst_code))
),

dated as (
    select *, {{ make_date('fiscal_year', 12, 31) }} as period_end_on
    from units
)

select
    u.fiscal_year,
    u.period_end_on,
    {{ completeness('u.period_end_on') }},
    u.unit_code,
    nullif(u.unit_code, '{{ var("city_code") }}') as inst_code,
    coalesce(institution.inst_name, '全市') as unit_name_zh,
    coalesce(institution.inst_order, 0) as inst_order,
    u.income_cny,
    u.spending_cny,
    u.income_cny - u.spending_cny as balance_cny,
    u.non_fiscal_cny,
    u.non_fiscal_cny / nullif(u.income_cny, 0) as non_fiscal_share,
    u.allocable_cny,
    u.performance_cny,
    u.performance_cny / nullif(u.allocable_cny, 0) as performance_share,
    u.granted_cny,
    u.granted_performance_cny,
    u.list_project_cny,
    u.training_spending_cny,
    u.staff_fte,
    cast(u.degree_count as integer) as degree_count,
    u.degree_count / nullif(u.staff_fte, 0) as degrees_per_staff,
    u.reported_income_cny,
    u.reported_spending_cny,
    u.funding_state_code,
    state.name_zh as funding_state_zh,
    state.name_en as funding_state_en,
    {{ provenance_columns() }}
from dated as u
{{ join_institution_of('u.unit_code') }}
{{ join_name('funding_state', 'u.funding_state_code', 'state') }}
