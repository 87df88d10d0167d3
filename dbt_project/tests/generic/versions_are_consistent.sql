{#
  Tests: a type 2 dimension against its entity. Every accepted record has exactly one current version, no other record has
  one, and the periods of a record's versions neither overlap nor run backwards.
  Matters: facts find their dimension row by date; indicators read the current version.
  When it fails: `problem` says which. A missing current version means that raw or quarantine changed without accepted: run
  the validate stage again.
#}
{% test versions_are_consistent(model, natural_key, entity) %}
    with current_versions as (
        select m.{{ natural_key }}, count(*) as version_count
        from {{ model }} as m
        where m.is_current and {{ touched_rows('m') }}
        group by m.{{ natural_key }}
    ),

    records as (
        select s.{{ natural_key }} from {{ source('accepted', entity) }} as s where {{ touched_rows('s') }}
    ),

    ordered as (
        select
            m.{{ natural_key }}, m.valid_from, m.valid_to,
            lead(m.valid_from) over (partition by m.{{ natural_key }} order by m.valid_from) as next_from
        from {{ model }} as m
        where {{ touched_rows('m') }}
    )

    select coalesce(s.{{ natural_key }}, c.{{ natural_key }}) as {{ natural_key }}, 'current version' as problem
    from records as s
    full join current_versions as c on c.{{ natural_key }} = s.{{ natural_key }}
    where s.{{ natural_key }} is null or c.version_count is distinct from 1
    union all
    select {{ natural_key }}, 'periods' from ordered where valid_to < valid_from or next_from <= valid_to
{% endtest %}
