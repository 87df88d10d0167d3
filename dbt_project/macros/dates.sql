{# The run's date. Nothing in this project reads the clock. #}
{% macro as_of() -%}
    cast('{{ var("as_of") }}' as date)
{%- endmacro %}

{# The year of the run's date: a model that asks for it is the same on all days of the year. #}
{% macro this_year() -%}
    {{ var('as_of')[:4] }}
{%- endmacro %}

{# The last census (09-30) up to the run's date: a model that asks for it is the same on the days between two censuses. #}
{% macro last_census() -%}
    {%- set year, day = var('as_of')[:4] | int, var('as_of')[5:] -%}
    cast('{{ year if day >= '09-30' else year - 1 }}-09-30' as date)
{%- endmacro %}

{% macro year_of(day) -%}
    cast(extract(year from {{ day }}) as integer)
{%- endmacro %}

{# 'yyyy-yyyy': the academic year runs from 09-01 to 08-31. #}
{% macro academic_year(day) -%}
    {%- set first = year_of(day) ~ " - case when extract(month from " ~ day ~ ") < 9 then 1 else 0 end" -%}
    cast({{ first }} as text) || '-' || cast({{ first }} + 1 as text)
{%- endmacro %}

{# Last day of a month, given as two numbers. #}
{% macro month_end(year, month) -%}
    {{ add_days(make_date('(' ~ year ~ ') + (' ~ month ~ ') / 12', '(' ~ month ~ ') % 12 + 1', 1), -1) }}
{%- endmacro %}

{# First day of a term written yyyy-yyyy-n: 1 September, 1 February or 1 July. #}
{% macro term_start(term) -%}
    case substr({{ term }}, 11, 1)
        when '1' then {{ make_date('cast(substr(' ~ term ~ ', 1, 4) as integer)', 9, 1) }}
        when '2' then {{ make_date('cast(substr(' ~ term ~ ', 6, 4) as integer)', 2, 1) }}
        else {{ make_date('cast(substr(' ~ term ~ ', 6, 4) as integer)', 7, 1) }}
    end
{%- endmacro %}

{# Whether the institution of the alias `i` was there on a day; with `since`, on some day from then on. #}
{% macro is_institution_on(day, since=none) -%}
    i.valid_from <= {{ day }} and (i.valid_to is null or i.valid_to >= {{ since or day }})
{%- endmacro %}
