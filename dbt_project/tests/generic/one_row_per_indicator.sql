{#
  Tests: the scorecard has one row for every indicator whose official variant has begun.
  Matters: a target that is missing looks like a target that nobody asks about.
  When it fails: look the indicator up in ind_value at city grain; without rows there its first period has no registry row or unit.
#}
{% test one_row_per_indicator(model) %}
    select i.indicator_code, count(s.indicator_code) as row_count
    from {{ ref('indicator') }} as i
    inner join (select period_basis, max(start_year) as last_year from {{ ref('ind_period') }} group by period_basis) as p
        on p.period_basis = i.period_basis and p.last_year >= i.first_year
    left join {{ model }} as s on s.indicator_code = i.indicator_code
    where i.is_official
    group by i.indicator_code
    having count(s.indicator_code) <> 1
{% endtest %}
