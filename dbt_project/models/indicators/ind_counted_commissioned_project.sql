-- H10, H11：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
with by_contract_no_digest_rows as (
    select
        f.signed_year,
        f.contract_no_digest,
        f.inst_code,
        f.fund_source_code,
        f.client_kind,
        f.signed_on,
        f.contract_amount_cny,
        f.cluster_code,
        count(*) over (partition by f.signed_year, f.contract_no_digest) as rows_of_key
    from {{ ref('fct_commissioned_project') }} as f
    where f.signed_year is not null and f.contract_no_digest is not null and {{ touched('f.signed_year') }}
),

by_contract_no_digest_alone as (
    select
        signed_year,
        inst_code,
        cluster_code,
        count(*) filter (where fund_source_code = '10' and client_kind in ('10', '20') and signed_on <= {{ as_of() }}) as h10_contracts,
        coalesce(sum(contract_amount_cny) filter (where fund_source_code = '10' and client_kind in ('10', '20') and signed_on <= {{ as_of() }}), 0) as h11_contract_amount
    from by_contract_no_digest_rows
    where rows_of_key = 1
    group by signed_year, inst_code, cluster_code
),

by_contract_no_digest_repeated as (
    select
        r.*
    from by_contract_no_digest_rows as r
    where r.rows_of_key > 1
),

by_contract_no_digest_once as (
    select
        signed_year,
        contract_no_digest,
        case grouping(inst_code, cluster_code)
            when 3 then 'city'
            when 1 then 'institution'
            when 2 then 'cluster'
        end as grain,
        case grouping(inst_code, cluster_code)
            when 3 then '{{ var("city_code") }}'
            when 1 then inst_code
            when 2 then cluster_code
        end as unit_code,
        bool_or(fund_source_code = '10' and client_kind in ('10', '20') and signed_on <= {{ as_of() }}) as h10_contracts,
        max(contract_amount_cny) filter (where fund_source_code = '10' and client_kind in ('10', '20') and signed_on <= {{ as_of() }}) as h11_contract_amount
    from by_contract_no_digest_repeated
    group by grouping sets (
        (signed_year, contract_no_digest),
        (signed_year, contract_no_digest, inst_code),
        (signed_year, contract_no_digest, cluster_code)
    )
),

by_contract_no_digest_parts as (
    select
        signed_year,
        case grouping(inst_code, cluster_code)
            when 3 then 'city'
            when 1 then 'institution'
            when 2 then 'cluster'
        end as grain,
        case grouping(inst_code, cluster_code)
            when 3 then '{{ var("city_code") }}'
            when 1 then inst_code
            when 2 then cluster_code
        end as unit_code,
        sum(h10_contracts) as h10_contracts,
        sum(h11_contract_amount) as h11_contract_amount
    from by_contract_no_digest_alone
    group by grouping sets (
        (signed_year),
        (signed_year, inst_code),
        (signed_year, cluster_code)
    )

    union all

    select
        signed_year,
        grain,
        unit_code,
        count(*) filter (where h10_contracts) as h10_contracts,
        coalesce(sum(h11_contract_amount), 0) as h11_contract_amount
    from by_contract_no_digest_once
    group by signed_year, grain, unit_code
),

by_contract_no_digest as (
    select
        signed_year,
        cast(signed_year as text) as period_code,
        grain,
        unit_code,
        sum(h10_contracts) as h10_contracts,
        sum(h11_contract_amount) as h11_contract_amount
    from by_contract_no_digest_parts
    group by signed_year, grain, unit_code
),

by_contract_no_digest_cy as (
    select
        p.period_code,
        c.grain,
        c.unit_code,
        coalesce(sum(c.h10_contracts) filter (where c.signed_year = {{ var('base_year') }}), 0) as h10_contracts_base,
        coalesce(sum(c.h10_contracts) filter (where c.signed_year = p.period_year), 0) as h10_contracts,
        coalesce(sum(c.h10_contracts) filter (where c.signed_year = p.period_year - 1), 0) as h10_contracts_previous,
        coalesce(sum(c.h10_contracts) filter (where c.signed_year between p.period_year - 3 and p.period_year - 1), 0) as h10_contracts_three_years_before,
        coalesce(sum(c.h10_contracts) filter (where c.signed_year between p.period_year - 2 and p.period_year), 0) as h10_contracts_three_years
    from {{ ref('ind_period') }} as p
    inner join by_contract_no_digest as c
        on c.signed_year between p.period_year - 3 and p.period_year or c.signed_year = {{ var('base_year') }}
    where p.period_basis = 'CY'
    group by p.period_code, c.grain, c.unit_code
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_contract_no_digest as c
cross join lateral (
    values
        ('H10', 1, cast(c.h10_contracts as double precision), cast(null as double precision), cast(null as double precision)),
        ('H11s', 1, cast(c.h11_contract_amount as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_contract_no_digest_cy as c
cross join lateral (
    values
        ('H10a', 1, cast(c.h10_contracts as double precision), cast(c.h10_contracts_base as double precision), cast(null as double precision)),
        ('H10b', 1, cast(c.h10_contracts as double precision), cast(c.h10_contracts_previous as double precision), cast(null as double precision)),
        ('H10c', 1, cast(c.h10_contracts_three_years as double precision), cast(c.h10_contracts_three_years_before as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
