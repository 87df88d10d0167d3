{#
  Tests: every indicator has exactly one official variant.
  Matters: the scorecard and the run's summary show the official one; two would show a target twice.
  When it fails: correct `is_official` in seeds/plan/indicator.csv for the indicator shown.
#}
{% test one_official_variant(model) %}
    select indicator_code
    from {{ model }}
    group by indicator_code
    having count(*) filter (where is_official) <> 1
{% endtest %}
