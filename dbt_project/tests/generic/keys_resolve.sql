{#
  Tests: every foreign key that is filled has its row in the dimension. `keys` maps a column to `<dimension>.<column>`, its
  primary key: the table is read once.
  Matters: a BI tool drops rows whose dimension row is missing. A warning: a parent that its source deleted after the child
  was accepted leaves the child behind.
  When it warns: the rows name column, key and number of facts. Ask the institution to send the parent again or to correct
  the child.
#}
{% test keys_resolve(model, keys) %}
    {{ config(severity='warn') }}
    select missing.column_name, missing.key_value, count(*) as row_count
    from {{ model }} as f
    {%- for column, target in keys.items() %}
        {%- set dimension, dimension_key = target.split('.') %}
    left join {{ ref(dimension) }} as {{ column }}_there on {{ column }}_there.{{ dimension_key }} = f.{{ column }}
    {%- endfor %}
    cross join lateral (
        values
        {%- for column, target in keys.items() %}
            {%- set dimension_key = target.split('.')[1] %}
            ('{{ column }}', case when {{ column }}_there.{{ dimension_key }} is null then cast(f.{{ column }} as text) end){{ ',' if not loop.last }}
        {%- endfor %}
    ) as missing (column_name, key_value)
    where {{ touched_rows('f') }}
        and missing.key_value is not null
        and (
            {%- for column, target in keys.items() %}
            f.{{ column }} is not null and {{ column }}_there.{{ target.split('.')[1] }} is null{{ ' or' if not loop.last }}
            {%- endfor %}
        )
    group by missing.column_name, missing.key_value
{% endtest %}
