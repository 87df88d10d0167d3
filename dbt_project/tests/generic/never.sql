{#
  Tests: no row fulfils `condition`, an SQL expression over the table's columns.
  Matters: an equation of a mart that does not close (opening + entrants − leavers = in study) is a figure that cannot be defended.
  When it fails: the rows shown break the equation named in the test's description; trace their institution and period in the star.
#}
{% test never(model, condition) %}
    select *
    from {{ model }}
    where {{ condition }}
{% endtest %}
