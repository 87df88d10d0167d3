{# Surrogate key: md5 of the institution code and the natural key; NULL when any part is NULL. #}
{% macro key(inst_code, parts=[]) -%}
    md5({{ inst_code }}{% for part in ([parts] if parts is string else parts) %} || '|' || {{ part }}{% endfor %})
{%- endmacro %}

{# Institution of a record: the first five characters of a student or degree point number, as it is today. #}
{% macro institution_of(identifier) -%}
    {{ present_institution('substr(' ~ identifier ~ ', 1, 5)') }}
{%- endmacro %}

{# The institution that an institution is part of today: its successor where it was merged (seed institution_succession). #}
{% macro present_institution(code) -%}
    {%- set successors = var('institution_successors', {}) -%}
    {%- if successors -%}
        case {{ code }}{% for old, new in successors.items() %} when '{{ old }}' then '{{ new }}'{% endfor %} else {{ code }} end
    {%- else -%}
        {{ code }}
    {%- endif -%}
{%- endmacro %}

{# Key of an enterprise: the directory is the commission's, whose source code is 50000. #}
{% macro enterprise_key(uscc) -%}
    {{ key("'50000'", uscc) }}
{%- endmacro %}

{# Key of a platform: the register is the commission's. #}
{% macro platform_key(platform_id) -%}
    {{ key("'50000'", platform_id) }}
{%- endmacro %}

{# Key of a partner: a code or name says who it is only together with its kind. #}
{% macro partner_key(kind, code) -%}
    {{ key("'50000'", [kind, code]) }}
{%- endmacro %}

{# Kind of partner that a pairing of a level has: a district, an industry cluster, an enterprise. #}
{% macro counterpart_kind(pairing_level) -%}
    case {{ pairing_level }} when '1' then '40' when '2' then '80' when '3' then '30' end
{%- endmacro %}
