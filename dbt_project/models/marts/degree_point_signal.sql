-- a value of fewer cases than the component's least number is not shown: it could be one graduate's
with signals as (
    select s.*, case when s.evidence_code <> 'FEW' then s.value end as shown_value
    from {{ source('estimates', 'point_signal') }} as s
)

select
    s.monitor_year,
    {{ make_date('s.monitor_year', 12, 31) }} as period_end_on,
    {{ completeness(make_date('s.monitor_year', 12, 31)) }},
    s.degree_point_id,
    p.inst_code,
    institution.inst_name,
    institution.inst_order,
    c.dimension_code,
    d.name_zh as dimension_zh,
    d.name_en as dimension_en,
    s.component_code,
    c.name_zh as component_zh,
    c.name_en as component_en,
    cast(row_number() over (
        partition by s.degree_point_id, s.monitor_year order by d.sort_order, c.sort_order
    ) as integer) as component_order,
    c.variant_code as source_variant_code,
    c.sources as source_entities,
    cast(c.weight as double precision) as weight,
    s.evidence_code,
    evidence.name_zh as evidence_zh,
    evidence.name_en as evidence_en,
    c.missing_zh as missing_reason,
    s.evidence_end_on,
    s.shown_value as value,
    {{ component_display('s.shown_value') }} as value_display,
    s.cases as case_count,
    s.benchmark_value,
    {{ component_display('s.benchmark_value') }} as benchmark_display,
    s.shown_value - s.benchmark_value as benchmark_gap,
    s.benchmark_error,
    s.benchmark_own_share,
    s.peer_group_code,
    peer_group.name_zh as peer_group_zh,
    s.compared_count,
    s.peer_spread,
    s.own_weight,
    s.position as peer_position,
    s.contribution,
    {{ code_or_none('s.direction_code') }} as direction_code,
    coalesce(direction.name_zh, '不比较') as direction_zh,
    coalesce(direction.name_en, 'Not compared') as direction_en,
    {{ provenance_columns() }}
from signals as s
inner join {{ ref('point_component') }} as c on c.component_code = s.component_code
inner join {{ ref('point_dimension') }} as d on d.dimension_code = c.dimension_code
inner join {{ ref('dim_degree_point') }} as p on p.degree_point_id = s.degree_point_id and p.is_current
{{ join_institution('p') }}
{{ join_peer_group('s') }}
{{ join_name('point_evidence', 's.evidence_code', 'evidence') }}
{{ join_name('point_direction', 's.direction_code', 'direction') }}
