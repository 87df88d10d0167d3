{# Chinese name of a code, as `<alias>.name_zh`. #}
{% macro join_name(code_set, code, alias) -%}
    left join {{ ref('code') }} as {{ alias }}
        on {{ alias }}.code_set = '{{ code_set }}' and {{ alias }}.code = {{ code }}
{%- endmacro %}

{# The present professional degree of a former field of engineering, as `programme_succession.discipline_code`. #}
{% macro join_programme_succession(programme_code) -%}
    left join {{ ref('programme_succession') }} as programme_succession
        on programme_succession.programme_code = {{ programme_code }}
        and programme_succession.to_edition = '{{ var("discipline_edition") }}'
{%- endmacro %}

{# The version of a type 2 dimension's row that was valid on a day, as `<thing>_then`: its key goes into the fact. #}
{% macro join_version_then(dimension, id, day) -%}
    {%- set thing = dimension | replace('dim_', '') -%}
    left join {{ ref(dimension) }} as {{ thing }}_then
        on {{ thing }}_then.{{ thing }}_id = {{ id }}
        and {{ day }} between {{ thing }}_then.valid_from and {{ thing }}_then.valid_to
{%- endmacro %}

{# The same, and the current version as `<thing>_now`: indicators read attributes as accepted now. #}
{% macro join_versions(dimension, id, day) -%}
    {%- set thing = dimension | replace('dim_', '') -%}
    {{ join_version_then(dimension, id, day) }}
    left join {{ ref(dimension) }} as {{ thing }}_now
        on {{ thing }}_now.{{ thing }}_id = {{ id }} and {{ thing }}_now.is_current
{%- endmacro %}
