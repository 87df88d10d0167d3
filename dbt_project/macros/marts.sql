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

{# Name of an institution and its place in the official order (that of the national codes), as `institution.inst_name`, `institution.inst_order`. #}
{% macro join_institution(row) -%}{{ join_institution_of(row ~ '.inst_code') }}{%- endmacro %}

{% macro join_institution_of(code) -%}
    left join (
        select inst_code, inst_name, cast(row_number() over (order by inst_code) as integer) as inst_order
        from {{ ref('dim_institution') }}
    ) as institution on institution.inst_code = {{ code }}
{%- endmacro %}

{# Whether a period is over, and whether it is the last one that is; `series` are the columns within which periods follow each other. #}
{% macro completeness(end_on, series=[]) -%}
    {{ end_on }} <= {{ as_of() }} as is_complete,
    {{ end_on }} = max({{ end_on }}) filter (where {{ end_on }} <= {{ as_of() }})
        over ({% if series %}partition by {{ series | join(', ') }}{% endif %}) is true as is_latest_complete
{%- endmacro %}

{#
  A figure as a reader sees it: value × scale with its unit. A share that is not whole is never shown as 100 % or 0 %.
#}
{% macro display(value, unit, scale) -%}
    case
        when {{ value }} is null then null
        when {{ unit }} = '%' and {{ value }} < 1 and {{ value }} >= 0.9995 then '>99.9 %'
        when {{ unit }} = '%' and {{ value }} > 0 and {{ value }} < 0.0005 then '<0.1 %'
        when {{ unit }} = '%' then to_char(round(cast({{ value }} * {{ scale }} as numeric), 1), 'FM999,999,990.0') || ' %'
        when {{ unit }} = '分' or ({{ value }} <> round(cast({{ value }} as numeric), 0) and abs({{ value }}) < 100)
            then to_char(round(cast({{ value }} * {{ scale }} as numeric), 2), 'FM999,990.00') || ' ' || {{ unit }}
        else to_char(round(cast({{ value }} * {{ scale }} as numeric), 0), 'FM999,999,999,999,990') || ' ' || {{ unit }}
    end
{%- endmacro %}

{#
  The target as a reader sees it: with its comparison, the plan's own figure where the city's size changes it, and a word where the plan has no
  figure and the target is proposed.
#}
{% macro display_target(op, value, plan_value, unit, scale, is_proposed) -%}
    case
        when {{ op }} = 'trend' then '逐年提高' || case when {{ is_proposed }} then '（建议值）' else '' end
        else case {{ op }} when '>=' then '≥ ' when '>' then '> ' else '' end || {{ display(value, unit, scale) }}
            || case when {{ plan_value }} <> {{ value }} then '（方案 ' || {{ display(plan_value, unit, scale) }} || '）' else '' end
            || case when {{ is_proposed }} then '（建议值）' else '' end
    end
{%- endmacro %}

{# Order and colour of a status, from plan.status, joined as `<alias>`. #}
{% macro join_status(code, alias='colour') -%}
    inner join {{ ref('status') }} as {{ alias }} on {{ alias }}.status_code = {{ code }}
{%- endmacro %}

{# Year of the first census (09-30) on or after a day. #}
{% macro census_year(day) -%}
    {{ year_of(day) }} + case when extract(month from {{ day }}) > 9 then 1 else 0 end
{%- endmacro %}

{# A count of persons from a sensitive source: 0 and what reaches the least size of a cell; NULL between. #}
{% macro large_enough(count) -%}
    cast(case when {{ count }} = 0 or {{ count }} >= {{ var('small_cell_minimum') }} then {{ count }} end as integer)
{%- endmacro %}

{#
  The one-grain views on indicator_value: `names` are the columns that say whose row it is (as `column` or `column as name`), then come the
  same columns for all, of the last complete period (`is_latest`) or of every complete one.
#}
{% macro one_grain(grain, names, is_latest, of_definitions='is_official') -%}
select
    {{ names | join(',\n    ') }},
    {%- for column in [
        'period_code', 'period_year', 'period_end_on', 'numerator', 'denominator', 'case_count', 'value', 'value_display', 'unit_zh',
        'lcl95', 'ucl95', 'target_value', 'target_display', 'path_value', 'path_display', 'status_code', 'status_zh', 'status_order',
        'status_colour', 'confidence_grade', 'is_simulated',
    ] %}
    {{ column }},
    {%- endfor %}
    city_scale
from {{ ref('indicator_value') }}
where grain = '{{ grain }}' and {{ 'is_latest_complete' if is_latest else 'is_complete' }} and {{ of_definitions }}
{%- endmacro %}

{# What activities of a platform add up to in a year: column -> kinds of activity. #}
{% macro platform_activity_sums() -%}
    {{ return({
        'joint_enrolment_count': ['10'],
        'mutual_appointment_count': ['20'],
        'enterprise_mentor_count': ['25'],
        'course_count': ['30'],
        'project_count': ['40'],
        'equipment_hours': ['50'],
        'compute_hours': ['55'],
        'mentor_trained_count': ['60'],
        'companion_trained_count': ['61', '62', '63', '64'],
        'enterprise_trained_count': ['65'],
        'training_hours': ['66'],
        'secondment_count': ['70'],
        'placement_count': ['80'],
        'material_count': ['85'],
        'service_done_count': ['90'],
        'incubation_count': ['95'],
    }) }}
{%- endmacro %}

{# A part of a count of persons: shown where the whole and the part may be. #}
{% macro large_enough_of(part, whole) -%}
    case when {{ whole }} = 0 or {{ whole }} >= {{ var('small_cell_minimum') }} then {{ large_enough(part) }} end
{%- endmacro %}
