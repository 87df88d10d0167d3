{#
  Tests: a mart that only adds names and statuses has as many rows as the model it reads.
  Matters: an inner join to a registry that lacks a code drops rows silently.
  When it fails: a code is missing in one of the seeds joined (unit, indicator, indicator_status).
#}
{% test has_as_many_rows_as(model, other) %}
    select this.row_count, other.row_count as other_row_count
    from (select count(*) as row_count from {{ model }}) as this
    cross join (select count(*) as row_count from {{ other }}) as other
    where this.row_count <> other.row_count
{% endtest %}
