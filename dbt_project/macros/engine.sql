{# What differs between SQL engines, by dispatch, so that the models stay portable. #}

{% macro day_series(first, last) -%}{{ return(adapter.dispatch('day_series')(first, last)) }}{%- endmacro %}
{% macro default__day_series(first, last) -%}
    select cast(day as date) as date_on from generate_series({{ first }}, {{ last }}, interval '1 day') as day
{%- endmacro %}

{# The items of an array joined by ';' (empty arrays become NULL). #}
{% macro joined(array) -%}{{ return(adapter.dispatch('joined')(array)) }}{%- endmacro %}
{% macro default__joined(array) -%}
    nullif(array_to_string({{ array }}, ';'), '')
{%- endmacro %}

{% macro item_count(array) -%}{{ return(adapter.dispatch('item_count')(array)) }}{%- endmacro %}
{% macro default__item_count(array) -%}
    coalesce(cardinality({{ array }}), 0)
{%- endmacro %}

{# A lateral join that gives one row per item of an array, as `alias.item`. #}
{% macro each_item(array, alias) -%}{{ return(adapter.dispatch('each_item')(array, alias)) }}{%- endmacro %}
{% macro default__each_item(array, alias) -%}
    cross join lateral unnest({{ array }}) as {{ alias }} (item)
{%- endmacro %}

{% macro days_between(first, last) -%}{{ return(adapter.dispatch('days_between')(first, last)) }}{%- endmacro %}
{% macro default__days_between(first, last) -%}
    ({{ last }} - {{ first }})
{%- endmacro %}

{% macro add_days(day, count) -%}{{ return(adapter.dispatch('add_days')(day, count)) }}{%- endmacro %}
{% macro default__add_days(day, count) -%}
    ({{ day }} + ({{ count }}))
{%- endmacro %}

{% macro make_date(year, month, day) -%}{{ return(adapter.dispatch('make_date')(year, month, day)) }}{%- endmacro %}
{% macro default__make_date(year, month, day) -%}
    make_date({{ year }}, {{ month }}, {{ day }})
{%- endmacro %}
