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

{# The grains that an indicator can be counted at: the expressions whose combination is one unit. A model's rows bring the columns in. #}
{% macro grain_parts() %}
    {% set category = 'substr(discipline_code, 1, 2)' %}
    {{ return({
        'city': [],
        'institution': ['inst_code'],
        'level_type': ['degree_level', 'degree_type'],
        'category': [category],
        'discipline': ['discipline_code'],
        'institution_level_type': ['inst_code', 'degree_level', 'degree_type'],
        'institution_category': ['inst_code', category],
        'institution_discipline': ['inst_code', 'discipline_code'],
        'degree_point': ['degree_point_id'],
        'cluster': ['cluster_code'],
    }) }}
{% endmacro %}

{#
  All grains in one scan: `grain_columns` in the select list, `by_grain` as its group by, both with the model's grains. The
  same rows are counted once per unit of every grain, so that a distinct count at city grain is distinct over all institutions.
#}
{% macro grain_columns(grains) -%}
    {%- set parts = grain_parts() -%}
    {%- set columns = [] -%}
    {%- for grain in grains -%}
        {%- if grain not in parts -%}{{ exceptions.raise_compiler_error(grain ~ ' is no grain: grain_parts() has ' ~ parts | join(', ')) }}{%- endif -%}
        {%- for part in parts[grain] if part not in columns -%}{%- do columns.append(part) -%}{%- endfor -%}
    {%- endfor -%}
    {#- grouping() has a bit per column, the first one the highest; a column that the set does not group by sets its bit -#}
    {%- set found = {} -%}
    {%- for grain in grains -%}
        {%- set bits = namespace(value=0) -%}
        {%- for column in columns -%}{%- set bits.value = bits.value * 2 + (column not in parts[grain]) -%}{%- endfor -%}
        {%- do found.update({grain: bits.value}) -%}
    {%- endfor -%}
    case grouping({{ columns | join(', ') }})
        {%- for grain in grains %}
            when {{ found[grain] }} then '{{ grain }}'
        {%- endfor %}
        end as grain,
        case grouping({{ columns | join(', ') }})
        {%- for grain in grains %}
            when {{ found[grain] }} then {{ parts[grain] | join(" || '-' || ") or "'" ~ var('city_code') ~ "'" }}
        {%- endfor %}
        end as unit_code
{%- endmacro %}

{% macro by_grain(keys, grains) -%}
    group by grouping sets (
        {%- for grain in grains %}
        ({{ (keys + grain_parts()[grain]) | join(', ') }}){{ ',' if not loop.last }}
        {%- endfor %}
    )
{%- endmacro %}

{#
  The last select of every indicator model: one row per variant from one row per unit and period, where something was counted.
  `variants` maps a code to [numerator, denominator]. A row without a unit (no discipline, no cluster) is of no unit of that grain.
#}
{% macro variant_rows(counted, variants, definition_version=1) -%}
    select v.variant_code, {{ definition_version }} as definition_version, c.grain, c.unit_code, c.period_code, v.numerator, v.denominator
    from {{ counted }} as c
    cross join lateral (
        values
        {%- for code, parts in variants.items() %}
            ('{{ code }}', cast({{ parts[0] }} as double precision), cast({{ parts[1] if parts | length > 1 else 'null' }} as double precision)){{ ',' if not loop.last }}
        {%- endfor %}
    ) as v (variant_code, numerator, denominator)
    where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
{%- endmacro %}

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

{# Scope of H10 and H11: commissioned by an enterprise or a public institution. #}
{% macro is_commissioned(client_kind, fund_source) -%}
    {{ fund_source }} = '10' and {{ client_kind }} in ('10', '20')
{%- endmacro %}

{# The city's own figure of a period, on the row of any unit. #}
{% macro of_the_city(column) -%}
    max({{ column }}) filter (where grain = 'city') over (partition by period_code)
{%- endmacro %}
