{#
  Count rule of the plan's lists: `count` in a window against [least, most] (columns of the same row: is_counted, quantity_from_on, quantity_due_on, path_quantity,
  pace_kind, red_below_path). MET, OVER (only a range has a most), UNDER, NOT-DUE. UNDER is said when the window is over, when the pace so far projects too
  few (LINEAR), when little is there 60 days before the due date (BATCH: granted once), or below the least share of the path.
#}
{% macro count_state(count, least, most) -%}
    case
        when {{ least }} is null then 'NO-QUANTITY'
        when not is_counted or {{ count }} is null then 'NO-SOURCE'
        when {{ as_of() }} < quantity_from_on then 'NOT-DUE'
        when {{ count }} > {{ most }} then 'OVER'
        when {{ count }} >= {{ least }} then 'MET'
        when quantity_due_on < {{ as_of() }} then 'UNDER'
        when {{ count }} < red_below_path * path_quantity then 'UNDER'
        when pace_kind = 'LINEAR' and {{ count }} < path_quantity then 'UNDER'
        when pace_kind = 'BATCH' and {{ days_between(as_of(), 'quantity_due_on') }} <= 60 and {{ count }} < 0.8 * {{ least }} then 'UNDER'
        else 'NOT-DUE'
    end
{%- endmacro %}

{# Colour of a count state. OVER is no success: budget and approval are looked at. UNDER before the due date is red only below the least share of the path. #}
{% macro count_status(state, count) -%}
    case
        when {{ state }} = 'MET' then 'GREEN'
        when {{ state }} = 'OVER' then 'AMBER'
        when {{ state }} = 'UNDER' and (quantity_due_on < {{ as_of() }} or coalesce({{ count }} < red_below_path * path_quantity, false)) then 'RED'
        when {{ state }} = 'UNDER' then 'AMBER'
        else 'GREY'
    end
{%- endmacro %}

{# The worse of two colours: RED, AMBER, GREEN, and GREY where neither says anything. #}
{% macro worse_status(one, other) -%}
    case
        when 'RED' in ({{ one }}, {{ other }}) then 'RED'
        when 'AMBER' in ({{ one }}, {{ other }}) then 'AMBER'
        when 'GREEN' in ({{ one }}, {{ other }}) then 'GREEN'
        else 'GREY'
    end
{%- endmacro %}

{# Share of the plan's size that this warehouse holds: less than 1 only in a simulated city. Quantities of the plan are compared at this size. #}
{% macro population_scale() -%}
    {{ var('simulated_scale') or 1 }}
{%- endmacro %}

{# Code of the period of a list item, from the word of the plan's annex. #}
{% macro period_kind(recurrence) -%}
    case {{ recurrence }}
        when 'once' then 'ONCE' when 'yearly' then 'ANNUAL' when 'every_two_years' then 'BIENNIAL' else 'CONTINUOUS'
    end
{%- endmacro %}

{#
  Whether something that counts towards a list item (a row of fct_list_count) falls into a window of quantities (quantity_from_on, quantity_due_on,
  cycle_year): by the cycle that its source states, else by its day; never after the run's date.
#}
{% macro counts_in_window(row, window) -%}
    {{ row }}.counted_on <= {{ as_of() }}
        and (
            {{ row }}.cycle_year between {{ year_of(window ~ '.quantity_from_on') }} and {{ window }}.cycle_year
            or ({{ row }}.cycle_year is null and {{ row }}.counted_on between {{ window }}.quantity_from_on and {{ window }}.quantity_due_on)
        )
{%- endmacro %}
