{#
  Tests: every row that an indicator model counted is in ind_value, unless its period lies before the variant's first year or has not begun.
  So a model counts at no grain that the registry does not give its variant.
  Matters: a variant that is not registered, a grain that is not registered, or a record of an institution that is not in the directory, would vanish from the marts without a word.
  When it fails: name the grain in the indicator's file (include/indicators), or ask the commission to add the institution to its directory.
#}
{% test nothing_counted_is_lost(model) %}
    select c.*
    from {{ ref('ind_counted') }} as c
    left join {{ ref('indicator') }} as i
        on i.variant_code = c.variant_code and i.definition_version = c.definition_version
    left join {{ ref('ind_period') }} as p on p.period_basis = i.period_basis and p.period_code = c.period_code
    where (i.variant_code is null or p.start_year >= i.first_year)
        and not exists (
            select 1
            from {{ model }} as v
            where v.variant_code = c.variant_code
                and v.definition_version = c.definition_version
                and v.grain = c.grain
                and v.unit_code = c.unit_code
                and v.period_code = c.period_code
        )
{% endtest %}
