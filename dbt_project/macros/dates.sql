{# The run's date. Nothing in this project reads the clock. #}
{% macro as_of() -%}
    cast('{{ var("as_of") }}' as date)
{%- endmacro %}

{% macro year_of(day) -%}
    cast(extract(year from {{ day }}) as integer)
{%- endmacro %}

{# 'yyyy-yyyy': the academic year runs from 09-01 to 08-31. #}
{% macro academic_year(day) -%}
    {%- set first = year_of(day) ~ " - case when extract(month from " ~ day ~ ") < 9 then 1 else 0 end" -%}
    cast({{ first }} as text) || '-' || cast({{ first }} + 1 as text)
{%- endmacro %}
