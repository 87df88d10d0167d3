with assessed as (
    {{ assessed_runs('scorecard') }}
),

cards as (
    select
        s.period,
        s.as_of,
        s.src_inst_code,
        case when s.entity = '' then 'ALL' else s.entity end as entity_code,
        s.dimension,
        s.numerator,
        s.denominator,
        s.value,
        s.target,
        {{ code_or_none('s.grade') }} as grade_code
    from {{ source('quality', 'scorecard') }} as s
    inner join assessed as a on a.run_id = s.run_id
    where a.recency_in_month = 1
)

select
    c.period as period_code,
    {{ month_end('cast(substr(c.period, 1, 4) as integer)', 'cast(substr(c.period, 6, 2) as integer)') }} as period_end_on,
    {{ month_end('cast(substr(c.period, 1, 4) as integer)', 'cast(substr(c.period, 6, 2) as integer)') }} <= {{ as_of() }} as is_complete,
    c.as_of,
    c.period = max(c.period) over () as is_latest,
    c.src_inst_code as inst_code,
    case c.src_inst_code
        when '{{ var("city_code") }}' then '全市'
        when '{{ var("commission_code") }}' then '市教委'
        else coalesce(institution.inst_name, c.src_inst_code)
    end as inst_name,
    case when c.src_inst_code in ('{{ var("city_code") }}', '{{ var("commission_code") }}') then 0 else institution.inst_order end as inst_order,
    c.entity_code,
    coalesce(entity.name_zh, c.entity_code) as entity_zh,
    coalesce(entity.name_en, c.entity_code) as entity_en,
    c.dimension as dimension_code,
    d.name_zh as dimension_zh,
    d.name_en as dimension_en,
    c.numerator,
    c.denominator,
    c.value,
    c.target as target_value,
    c.grade_code,
    grade.name_zh as grade_zh,
    grade.name_en as grade_en,
    {{ provenance_columns() }}
from cards as c
inner join {{ ref('quality_dimension') }} as d on d.dimension_code = c.dimension
{{ join_institution_of('c.src_inst_code') }}
{{ join_name('entity', 'c.entity_code', 'entity') }}
{{ join_name('data_confidence', 'c.grade_code', 'grade') }}
