{% set dimensions = ['fit', 'contribution', 'distinctiveness'] -%}
with scores as (
    select
        s.*,
        score - lag(score) over (
            partition by degree_point_id, dimension_code order by monitor_year
            range between 1 preceding and 1 preceding
        ) as score_change
    from {{ source('estimates', 'point_score') }} as s
),

pivoted as (
    select
        degree_point_id, monitor_year, peer_group_code, max(peer_count) as peer_count
        {%- for d in dimensions %}
        {%- for column in ['score_state_code', 'score', 'lcl80', 'ucl80', 'score_change', 'evidence_share'] %},
        max({{ column }}) filter (where dimension_code = '{{ d }}') as {{ d }}_{{ column }}
        {%- endfor %}
        {%- endfor %},
        cast(count(*) filter (where score_state_code = 'SCORED') as integer) as scored_count,
        count(*) filter (where score_state_code = 'THIN') = 0 as is_fully_scored
    from scores
    group by degree_point_id, monitor_year, peer_group_code
),

peers as (
    select
        monitor_year, peer_group_code
        {%- for d in dimensions %},
        cast(count(score) filter (where dimension_code = '{{ d }}') as integer) as {{ d }}_scored_peers,
        percentile_cont(array[0.25, 0.5, 0.75]) within group (order by score) filter (where dimension_code = '{{ d }}') as {{ d }}_quartiles
        {%- endfor %}
    from scores
    group by monitor_year, peer_group_code
),

named as (
    select
        v.*,
        {{ make_date('v.monitor_year', 12, 31) }} as period_end_on,
        p.inst_code, p.degree_level, p.degree_type, p.discipline_code, p.discipline_name, p.unit_code, p.is_joint_built
        {%- for d in dimensions %},
        r.{{ d }}_scored_peers, r.{{ d }}_quartiles
        {%- endfor %}
    from pivoted as v
    inner join {{ ref('dim_degree_point') }} as p on p.degree_point_id = v.degree_point_id and p.is_current
    inner join peers as r on r.monitor_year = v.monitor_year and r.peer_group_code = v.peer_group_code
)

select
    n.monitor_year,
    n.period_end_on,
    {{ completeness('n.period_end_on') }},
    n.degree_point_id,
    institution.inst_name || ' ' || coalesce(n.discipline_name, n.discipline_code, '-') || ' ' || degree_level.name_zh as degree_point_name,
    n.inst_code,
    institution.inst_name,
    institution.inst_order,
    {{ degree_columns('n') }},
    {{ code_or_none('n.discipline_code') }} as discipline_code,
    {{ label_zh('n.discipline_name') }} as discipline_zh,
    {{ label_en('discipline.discipline_name_en') }} as discipline_en,
    {{ code_or_none('discipline.category_code') }} as category_code,
    {{ label_zh('discipline.category_name') }} as category_zh,
    not coalesce(discipline.is_h02_excluded, false) as is_applied,
    n.is_joint_built,
    n.peer_group_code,
    peer_group.name_zh as peer_group_zh,
    n.peer_count
    {%- for d in dimensions %},
    n.{{ d }}_score_state_code as {{ d }}_state_code,
    {{ d }}_state.name_zh as {{ d }}_state_zh,
    {{ d }}_state.name_en as {{ d }}_state_en,
    n.{{ d }}_score,
    n.{{ d }}_lcl80,
    n.{{ d }}_ucl80,
    coalesce({{ score_display('n.' ~ d ~ '_score') }}, {{ d }}_state.name_zh) as {{ d }}_display,
    n.{{ d }}_score_change as {{ d }}_change,
    n.{{ d }}_evidence_share,
    n.{{ d }}_scored_peers as {{ d }}_scored_peer_count,
    n.{{ d }}_quartiles[1] as {{ d }}_peer_lower_quartile,
    n.{{ d }}_quartiles[2] as {{ d }}_peer_median,
    n.{{ d }}_quartiles[3] as {{ d }}_peer_upper_quartile
    {%- endfor %},
    n.scored_count,
    n.is_fully_scored,
    {{ provenance_columns() }}
from named as n
left join {{ ref('dim_discipline') }} as discipline on discipline.discipline_code = n.discipline_code
{{ join_institution('n') }}
{{ join_degree_names('n') }}
{{ join_peer_group('n') }}
{% for d in dimensions -%}
{{ join_name('point_score_state', 'n.' ~ d ~ '_score_state_code', d ~ '_state') }}
{% endfor %}
