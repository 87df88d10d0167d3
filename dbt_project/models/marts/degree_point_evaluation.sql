with counted as (
    select
        eval_round,
        eval_kind_code,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        max(decided_on) as last_decided_on,
        cast(count(*) as integer) as evaluated_count,
        cast(count(*) filter (where result_code = '10') as integer) as passed_count,
        cast(count(*) filter (where result_code = '20') as integer) as rectify_count,
        cast(count(*) filter (where result_code = '30') as integer) as failed_count
    from {{ ref('fct_evaluation_result') }}
    where decided_on <= {{ as_of() }}
    group by grouping sets ((eval_round, eval_kind_code), (eval_round, eval_kind_code, inst_code))
)

select
    c.eval_round,
    c.eval_kind_code,
    eval_kind.name_zh as eval_kind_zh,
    eval_kind.name_en as eval_kind_en,
    c.unit_code,
    nullif(c.unit_code, '{{ var("city_code") }}') as inst_code,
    coalesce(institution.inst_name, '全市') as unit_name_zh,
    coalesce(institution.inst_order, 0) as inst_order,
    c.last_decided_on,
    c.evaluated_count,
    c.passed_count,
    c.rectify_count,
    c.failed_count,
    cast(c.passed_count as double precision) / c.evaluated_count as passed_share,
    {{ provenance_columns() }}
from counted as c
{{ join_institution_of('c.unit_code') }}
{{ join_name('evaluation_kind', 'c.eval_kind_code', 'eval_kind') }}
