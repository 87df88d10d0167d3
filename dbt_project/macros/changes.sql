{# The value that a numerator and a denominator make, by the kind of the variant. The base year compared with itself is no reading. #}
{% macro value_of(numerator, denominator, kind, period_year, is_own_base) -%}
    case
        when {{ kind }} = 'count' then {{ numerator }}
        when {{ kind }} in ('ratio', 'index') then {{ numerator }} / nullif({{ denominator }}, 0)
        when {{ denominator }} <= 0 or {{ numerator }} < 0 then null
        when {{ kind }} = 'growth' and {{ is_own_base }} then null
        when {{ kind }} = 'growth' then {{ numerator }} / {{ denominator }} - 1
        when {{ kind }} = 'cagr' and {{ period_year }} > {{ var('base_year') }}
            then power({{ numerator }} / {{ denominator }}, 1.0 / ({{ period_year }} - {{ var('base_year') }})) - 1
    end
{%- endmacro %}

{# A difference as a reader sees it: signed, shares in percentage points. #}
{% macro display_change(difference, unit, scale) -%}
    case
        when {{ difference }} is null then null
        when {{ unit }} = '%' then to_char(round(cast(({{ difference }}) * 100 as numeric), 3), 'FMSG990.099') || ' 个百分点'
        when ({{ difference }}) = round(cast({{ difference }} as numeric), 0)
            then to_char(({{ difference }}) * {{ scale }}, 'FMSG999,999,999,999,990') || ' ' || {{ unit }}
        else to_char(round(cast(({{ difference }}) * {{ scale }} as numeric), 3), 'FMSG999,999,999,999,990.099') || ' ' || {{ unit }}
    end
{%- endmacro %}

{# A column per cause of the seed change_cause, as `<cause>_part`. #}
{% macro cause_parts(value) -%}
    {%- for cause in ['definition', 'correction', 'new', 'deletion', 'quarantine', 'calendar', 'unexplained'] %}
    coalesce(sum({{ value }}) filter (where cause = {{ loop.index0 }}), 0) as {{ cause }}_part{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}
