{#
  Tests: the columns of a table's grain are never NULL and no two rows share them.
  Matters: a doubled or keyless row counts a person, a thesis or a yuan twice.
  When it fails: look the shown values up in accepted; two rows there mean that a key rule was switched off in
  validation, one row means that a join in this model multiplies.
#}
{% test grain(model, columns) %}
    select {{ columns | join(', ') }}, count(*) as row_count
    from {{ model }}
    group by {{ columns | join(', ') }}
    having count(*) > 1 {% for column in columns %} or {{ column }} is null {% endfor %}
{% endtest %}
