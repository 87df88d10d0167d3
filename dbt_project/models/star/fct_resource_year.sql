-- M20.2, M20.4: every institution in every fiscal year: what it put in, what came out, alone and over three years
with years as (
    select distinct calendar_year as fiscal_year
    from {{ ref('dim_date') }}
    where calendar_year between 2022 and {{ this_year() }}
),

inputs as (
    select
        inst_code,
        fiscal_year,
        sum(staff_fte) as staff_fte,
        count(*) as point_count,
        count(*) filter (where is_costed) as costed_point_count,
        count(*) filter (where is_documented) as documented_point_count
    from {{ ref('fct_training_cost') }}
    group by inst_code, fiscal_year
),

spent as (
    select inst_code, fiscal_year, sum(amount_cny) as training_spending_cny
    from {{ ref('fct_fund_ledger') }}
    where direction_code = 'OUT' and purpose_code = '10'
    group by inst_code, fiscal_year
),

degrees as (
    select
        inst_code,
        award_year as fiscal_year,
        count(*) as degree_count,
        count(*) filter (where is_frontline_evidenced) as frontline_count
    from {{ ref('fct_degree_award') }}
    where degree_level in ('1', '2') and awarded_on <= {{ as_of() }}
    group by inst_code, award_year
),

received as (
    select inst_code, received_year as fiscal_year, sum(net_amount_cny) as receipts_cny
    from {{ ref('fct_commissioned_receipt') }}
    where {{ is_commissioned('client_kind', 'fund_source_code') }} and received_on <= {{ as_of() }}
    group by inst_code, received_year
),

together as (
    select
        y.fiscal_year,
        i.inst_code,
        i.institution_key,
        coalesce(inputs.staff_fte, 0) as staff_fte,
        coalesce(spent.training_spending_cny, 0) as training_spending_cny,
        coalesce(degrees.degree_count, 0) as degree_count,
        coalesce(degrees.frontline_count, 0) as frontline_count,
        coalesce(received.receipts_cny, 0) as receipts_cny,
        coalesce(inputs.point_count, 0) as point_count,
        coalesce(inputs.costed_point_count, 0) as costed_point_count,
        coalesce(inputs.documented_point_count, 0) as documented_point_count
    from years as y
    cross join {{ ref('dim_institution') }} as i
    left join inputs on inputs.inst_code = i.inst_code and inputs.fiscal_year = y.fiscal_year
    left join spent on spent.inst_code = i.inst_code and spent.fiscal_year = y.fiscal_year
    left join degrees on degrees.inst_code = i.inst_code and degrees.fiscal_year = y.fiscal_year
    left join received on received.inst_code = i.inst_code and received.fiscal_year = y.fiscal_year
    where {{ is_institution_on(make_date('y.fiscal_year', 12, 31), make_date('y.fiscal_year', 1, 1)) }}
)

select
    fiscal_year,
    inst_code,
    institution_key,
    cast(staff_fte as numeric(12,2)) as staff_fte,
    cast(training_spending_cny as numeric(16,2)) as training_spending_cny,
    cast(degree_count as integer) as degree_count,
    cast(frontline_count as integer) as frontline_count,
    cast(receipts_cny as numeric(16,2)) as receipts_cny,
    cast(point_count as integer) as point_count,
    cast(costed_point_count as integer) as costed_point_count,
    cast(documented_point_count as integer) as documented_point_count,
    documented_point_count > 0 as is_cost_reported,
    count(*) filter (where staff_fte > 0 and training_spending_cny > 0) over three_years = 3 as is_three_years,
    cast(sum(staff_fte) over three_years as numeric(12,2)) as staff_fte_3y,
    cast(sum(training_spending_cny) over three_years as numeric(16,2)) as training_spending_3y_cny,
    cast(sum(degree_count) over three_years as integer) as degree_count_3y,
    cast(sum(frontline_count) over three_years as integer) as frontline_count_3y,
    cast(sum(receipts_cny) over three_years as numeric(16,2)) as receipts_3y_cny
from together
window three_years as (partition by inst_code order by fiscal_year rows between 2 preceding and current row)
