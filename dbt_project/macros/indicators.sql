{# The models that count indicators: ind_value unites them. A new model is one more name here; ind_value refuses to run without it. #}
{% macro indicator_models() %}
    {{ return([
        'ind_h01', 'ind_h02', 'ind_h03', 'ind_h04', 'ind_h05', 'ind_h06', 'ind_h07', 'ind_h08',
        'ind_h09', 'ind_h10', 'ind_h11', 'ind_h12', 'ind_h13', 'ind_h14', 'ind_h15',
    ]) }}
{% endmacro %}

{# Stops the run when a model is tagged as an indicator by its name but missing in indicator_models(). #}
{% macro check_indicator_models() %}
    {% if execute %}
        {% for node in graph.get("nodes", {}).values() if node.resource_type == 'model' and modules.re.match('ind_[a-z][0-9]', node.name) %}
            {% if node.name not in indicator_models() %}
                {{ exceptions.raise_compiler_error(node.name ~ ' is not in indicator_models() of macros/indicators.sql: add it, or ind_value leaves it out') }}
            {% endif %}
        {% endfor %}
    {% endif %}
{% endmacro %}

{#
  City and institutions in one scan: `grain_columns` in the select list, `by_grain` as its group by. The keys are counted once for the whole
  city and once per institution, so that a distinct count at city grain is distinct over all institutions.
#}
{% macro grain_columns(institution='inst_code') -%}
    case when grouping({{ institution }}) = 1 then 'city' else 'institution' end as grain,
        case when grouping({{ institution }}) = 1 then '{{ var("city_code") }}' else {{ institution }} end as unit_code
{%- endmacro %}

{% macro by_grain(keys, institution='inst_code') -%}
    group by grouping sets (({{ keys | join(', ') }}), ({{ keys | join(', ') }}, {{ institution }}))
{%- endmacro %}

{# The last select of every indicator model: one row per variant from one row per unit and period. `variants` maps a code to [numerator, denominator]. #}
{% macro variant_rows(counted, variants) -%}
    select v.variant_code, c.grain, c.unit_code, c.period_code, v.numerator, v.denominator
    from {{ counted }} as c
    cross join lateral (
        values
        {%- for code, parts in variants.items() %}
            ('{{ code }}', cast({{ parts[0] }} as double precision), cast({{ parts[1] if parts | length > 1 else 'null' }} as double precision)){{ ',' if not loop.last }}
        {%- endfor %}
    ) as v (variant_code, numerator, denominator)
{%- endmacro %}

{# Text of a year, the code of calendar, census, entrance and destination periods. #}
{% macro year_code(year) -%}
    cast({{ year }} as text)
{%- endmacro %}

{# Scope of H10 and H11: commissioned by an enterprise or a public institution. #}
{% macro is_commissioned(client_kind, fund_source) -%}
    {{ fund_source }} = '10' and {{ client_kind }} in ('10', '20')
{%- endmacro %}
