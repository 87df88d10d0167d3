{# Name of a peer group of degree points, as `peer_group.name_zh`: `level-type-category`, `level-A`, `level-B` or `level` (docs/degree-points.md). #}
{% macro join_peer_group(row) -%}
    left join (
        select
            g.peer_group_code,
            level.name_zh || case split_part(g.peer_group_code, '-', 2)
                when 'A' then '·应用类' when 'B' then '·基础与人文' when '' then '·全部'
                else '·' || coalesce(type.name_zh, '-') || '·' || coalesce(category.name_zh, '-')
            end as name_zh
        from (select distinct peer_group_code from {{ source('estimates', 'point_score') }}) as g
        inner join {{ ref('code') }} as level
            on level.code_set = 'degree_level' and level.code = split_part(g.peer_group_code, '-', 1)
        left join {{ ref('code') }} as type
            on type.code_set = 'degree_type' and type.code = split_part(g.peer_group_code, '-', 2)
        left join {{ ref('discipline') }} as category on category.code = split_part(g.peer_group_code, '-', 3)
    ) as peer_group on peer_group.peer_group_code = {{ row }}.peer_group_code
{%- endmacro %}

{# A score as a reader sees it; NULL where there is none. #}
{% macro score_display(score) -%}
    to_char(round(cast({{ score }} as numeric), 1), 'FM990.0')
{%- endmacro %}

{# A component's figure as a reader sees it, by the unit and scale of its row of point_component, joined as `c`. #}
{% macro component_display(figure) -%}
    case
        when c.unit_zh = '%' then {{ display(figure, 'c.unit_zh', 'c.display_scale') }}
        else to_char(round(cast({{ figure }} * c.display_scale as numeric), 2), 'FM999,999,990.00') || coalesce(' ' || c.unit_zh, '')
    end
{%- endmacro %}
