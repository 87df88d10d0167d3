-- H11：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
with by_row_rows as (
    select
        f.received_year,
        f.inst_code,
        f.net_amount_cny,
        f.fund_source_code,
        f.client_kind,
        f.received_on,
        f.cluster_code
    from {{ ref('fct_commissioned_receipt') }} as f
    where f.received_year is not null and {{ touched('f.received_year') }}
),

by_row_together as (
    select
        received_year,
        inst_code,
        cluster_code,
        coalesce(sum(net_amount_cny) filter (where fund_source_code = '10' and client_kind in ('10', '20') and received_on <= {{ as_of() }}), 0) as h11_receipts
    from by_row_rows
    group by received_year, inst_code, cluster_code
),

by_row as (
    select
        received_year,
        cast(received_year as text) as period_code,
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
        sum(h11_receipts) as h11_receipts
    from by_row_together
    group by grouping sets (
        (received_year),
        (received_year, inst_code),
        (received_year, cluster_code)
    )
),

by_row_cy as (
    select
        p.period_code,
        c.grain,
        c.unit_code,
        coalesce(sum(c.h11_receipts) filter (where c.received_year = {{ var('base_year') }}), 0) as h11_receipts_base,
        coalesce(sum(c.h11_receipts) filter (where c.received_year = p.period_year), 0) as h11_receipts,
        coalesce(sum(c.h11_receipts) filter (where c.received_year = p.period_year - 1), 0) as h11_receipts_previous
    from {{ ref('ind_period') }} as p
    inner join by_row as c
        on c.received_year between p.period_year - 3 and p.period_year or c.received_year = {{ var('base_year') }}
    where p.period_basis = 'CY'
    group by p.period_code, c.grain, c.unit_code
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('H11', 1, cast(c.h11_receipts as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row_cy as c
cross join lateral (
    values
        ('H11a', 1, cast(c.h11_receipts as double precision), cast(c.h11_receipts_base as double precision), cast(null as double precision)),
        ('H11b', 1, cast(c.h11_receipts as double precision), cast(c.h11_receipts_previous as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
