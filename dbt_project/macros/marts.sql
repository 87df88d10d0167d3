{# Code of a nullable attribute in a mart's key, and its label: nothing reported is '-', 未填. #}
{% macro code_or_none(code) -%}
    coalesce({{ code }}, '-')
{%- endmacro %}

{% macro label_zh(label) -%}
    coalesce({{ label }}, '未填')
{%- endmacro %}

{% macro label_en(label) -%}
    coalesce({{ label }}, 'Not reported')
{%- endmacro %}

{# Level and type of a degree: codes with their Chinese and English names; `join_degree_names` brings `degree_level` and `degree_type` in. #}
{% macro degree_columns(row) -%}
    {{ row }}.degree_level,
    {{ label_zh('degree_level.name_zh') }} as degree_level_zh,
    {{ label_en('degree_level.name_en') }} as degree_level_en,
    {{ row }}.degree_type,
    {{ label_zh('degree_type.name_zh') }} as degree_type_zh,
    {{ label_en('degree_type.name_en') }} as degree_type_en
{%- endmacro %}

{% macro join_degree_names(row) -%}
{{ join_name('degree_level', row ~ '.degree_level', 'degree_level') }}
{{ join_name('degree_type', row ~ '.degree_type', 'degree_type') }}
{%- endmacro %}

{# Name of an institution, as `institution.inst_name`. #}
{% macro join_institution(row) -%}
    left join {{ ref('dim_institution') }} as institution on institution.inst_code = {{ row }}.inst_code
{%- endmacro %}

{# Year of the first census (09-30) on or after a day. #}
{% macro census_year(day) -%}
    {{ year_of(day) }} + case when extract(month from {{ day }}) > 9 then 1 else 0 end
{%- endmacro %}
