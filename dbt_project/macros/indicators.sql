{# Of the registry's rows: the definition in force is the official one, of a variant that is not official the newest. #}
{% macro is_definition_in_force() -%}
    row_number() over (
        partition by variant_code order by case when is_official then 0 else 1 end, definition_version desc
    ) = 1
{%- endmacro %}

{# Text of a year, the code of calendar, census, entrance and destination periods. #}
{% macro year_code(year) -%}
    cast({{ year }} as text)
{%- endmacro %}

{# Commissioned by an enterprise or a public institution. #}
{% macro is_commissioned(client_kind, fund_source) -%}
    {{ fund_source }} = '10' and {{ client_kind }} in ('10', '20')
{%- endmacro %}
