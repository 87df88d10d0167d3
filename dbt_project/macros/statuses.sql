{#
  Count rule of the plan's lists, with a quantity [least, most] per cycle: MET, UNDER, OVER; NULL when nothing counts it. Before the cycle is due
  a count below the least is NULL too: it is still being done.
#}
{% macro count_state(count, least, most, is_due) -%}
    case
        when {{ count }} is null or ({{ least }} is null and {{ most }} is null) then null
        when {{ count }} > {{ most }} then 'OVER'
        when {{ least }} is null or {{ count }} >= {{ least }} then 'MET'
        when {{ is_due }} then 'UNDER'
    end
{%- endmacro %}

{# Colour of a count state. OVER is no success: budget and approval are looked at. #}
{% macro count_status(state) -%}
    case {{ state }} when 'MET' then 'GREEN' when 'OVER' then 'AMBER' when 'UNDER' then 'RED' end
{%- endmacro %}
