{#
  Tests: a type 2 dimension against its entity. Every accepted record has exactly one current version, no other record has
  one, and the periods of a record's versions neither overlap nor run backwards.
  Matters: facts find their dimension row by date; indicators read the current version.
  When it fails: `problem` says which. A missing current version means that raw or quarantine changed without accepted: run
  the validate stage again.
#}
{% test versions_are_consistent(model, natural_key, entity) %}
    with current_versions as (
        select {{ natural_key }}, count(*) as version_count from {{ model }} where is_current group by {{ natural_key }}
    ),

    ordered as (
        select
            {{ natural_key }}, valid_from, valid_to,
            lead(valid_from) over (partition by {{ natural_key }} order by valid_from) as next_from
        from {{ model }}
    )

    select coalesce(s.{{ natural_key }}, c.{{ natural_key }}) as {{ natural_key }}, 'current version' as problem
    from {{ source('accepted', entity) }} as s
    full join current_versions as c on c.{{ natural_key }} = s.{{ natural_key }}
    where s.{{ natural_key }} is null or c.version_count is distinct from 1
    union all
    select {{ natural_key }}, 'periods' from ordered where valid_to < valid_from or next_from <= valid_to
{% endtest %}
