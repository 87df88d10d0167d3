-- M20.1, M20.3：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
with by_row_rows as (
    select
        f.fiscal_year,
        f.inst_code,
        f.amount_cny,
        f.is_allocable,
        f.is_performance_funded,
        f.direction_code,
        f.is_fiscal_source,
        f.fund_source_code
    from {{ ref('fct_fund_ledger') }} as f
    where f.fiscal_year is not null and {{ touched('f.fiscal_year') }}
),

by_row_together as (
    select
        fiscal_year,
        inst_code,
        coalesce(sum(amount_cny) filter (where is_allocable), 0) as m20_1_allocable,
        coalesce(sum(amount_cny) filter (where is_allocable and is_performance_funded), 0) as m20_1_by_performance,
        coalesce(sum(amount_cny) filter (where direction_code = 'IN'), 0) as m20_3_income,
        coalesce(sum(amount_cny) filter (where direction_code = 'IN' and not is_fiscal_source), 0) as m20_3_non_fiscal,
        coalesce(sum(amount_cny) filter (where direction_code = 'IN' and fund_source_code = '10'), 0) as m20_3_from_enterprises,
        coalesce(sum(amount_cny) filter (where direction_code = 'IN' and fund_source_code = '99'), 0) as m20_3_from_society
    from by_row_rows
    group by fiscal_year, inst_code
),

by_row as (
    select
        fiscal_year,
        cast(fiscal_year as text) as period_code,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m20_1_allocable) as m20_1_allocable,
        sum(m20_1_by_performance) as m20_1_by_performance,
        sum(m20_3_income) as m20_3_income,
        sum(m20_3_non_fiscal) as m20_3_non_fiscal,
        sum(m20_3_from_enterprises) as m20_3_from_enterprises,
        sum(m20_3_from_society) as m20_3_from_society
    from by_row_together
    group by grouping sets (
        (fiscal_year),
        (fiscal_year, inst_code)
    )
),

by_row_cy as (
    select
        p.period_code,
        c.grain,
        c.unit_code,
        coalesce(sum(c.m20_3_non_fiscal) filter (where c.fiscal_year = p.period_year - 1), 0) as m20_3_non_fiscal_previous,
        coalesce(sum(c.m20_3_non_fiscal) filter (where c.fiscal_year = p.period_year), 0) as m20_3_non_fiscal
    from {{ ref('ind_period') }} as p
    inner join by_row as c
        on c.fiscal_year between p.period_year - 3 and p.period_year or c.fiscal_year = {{ var('base_year') }}
    where p.period_basis = 'CY'
    group by p.period_code, c.grain, c.unit_code
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M20.1', 1, cast(c.m20_1_by_performance as double precision), cast(c.m20_1_allocable as double precision), cast(null as double precision)),
        ('M20.3', 1, cast(c.m20_3_non_fiscal as double precision), cast(c.m20_3_income as double precision), cast(null as double precision)),
        ('M20.3a', 1, cast(c.m20_3_from_enterprises as double precision), cast(c.m20_3_income as double precision), cast(null as double precision)),
        ('M20.3b', 1, cast(c.m20_3_from_society as double precision), cast(c.m20_3_income as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row_cy as c
cross join lateral (
    values
        ('M20.3g', 1, cast(c.m20_3_non_fiscal as double precision), cast(c.m20_3_non_fiscal_previous as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
