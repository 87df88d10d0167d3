{#
  Tests: every foreign key that is filled has its row in the dimension. `keys` maps a column to `<dimension>.<column>`.
  Matters: a BI tool drops rows whose dimension row is missing. A warning: a parent that its source deleted after the child
  was accepted leaves the child behind.
  When it warns: the rows name column, key and number of facts. Ask the institution to send the parent again or to correct
  the child.
#}
{% test keys_resolve(model, keys) %}
    {{ config(severity='warn') }}
    {% for column, target in keys.items() %}
        {%- set dimension, dimension_key = target.split('.') %}
    select '{{ column }}' as column_name, cast(f.{{ column }} as text) as key_value, count(*) as row_count
    from {{ model }} as f
    where f.{{ column }} is not null
        and not exists (select 1 from {{ ref(dimension) }} as d where d.{{ dimension_key }} = f.{{ column }})
    group by f.{{ column }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
{% endtest %}
