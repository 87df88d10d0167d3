{# Whether the sources are simulated and how large the city is, as the last two columns of every mart: a share of the real one, 1 when the sources are real. #}
{% macro provenance_columns() -%}
    {{ 'true' if var('simulated_scale') else 'false' }} as is_simulated,
    cast({{ population_scale() }} as double precision) as city_scale
{%- endmacro %}

{# What a table comment says first about simulated sources; nothing when they are real. #}
{% macro simulated_note() -%}
    {%- set scale = var('simulated_scale') -%}
    {%- if scale -%}
        {%- set parts = (1 / scale) | round | int -%}
        【模拟数据 / SIMULATED，规模为真实城市的 {{ '1/' ~ parts if (parts * scale - 1) | abs < 1e-6 else scale }}】
    {%- endif -%}
{%- endmacro %}

{# dbt's own comment on a relation, with the note in front on the marts. #}
{% macro postgres__alter_relation_comment(relation, comment) %}
    comment on {{ relation.type }} {{ relation }} is {{ postgres_escape_comment((simulated_note() if relation.schema == 'marts' else '') ~ comment) }};
{% endmacro %}
