-- Joins on columns of text are estimated at one row, and a nested loop over what is estimated so takes for ever.
{{ config(pre_hook="set local enable_nestloop = off") }}
{% set cell = ['variant_code', 'definition_version', 'grain', 'unit_code', 'period_code'] -%}
with definitions as (
    select
        *,
        comparator = 'BASE-YEAR' as is_against_base
    from {{ ref('indicator') }}
),

periods as (
    select distinct i.variant_code, i.definition_version, p.period_code, p.period_year, p.end_on as period_end_on
    from {{ ref('indicator') }} as i
    inner join {{ ref('ind_period') }} as p on p.period_basis = i.period_basis
),

-- one row per publication and cell, with what its value is made of
cells as (
    select
        c.*,
        i.value_kind,
        i.is_against_base and p.period_year = {{ var('base_year') }} as is_own_base,
        p.period_year,
        p.period_end_on
    from {{ source('changes', 'cell') }} as c
    inner join definitions as i on i.variant_code = c.variant_code and i.definition_version = c.definition_version
    inner join periods as p
        on p.variant_code = c.variant_code and p.definition_version = c.definition_version and p.period_code = c.period_code
    where c.as_of <= {{ as_of() }}
),

-- numerator and denominator after each cause, in their order: the definition's step is there always, so that a value that only
-- another formula makes is the definition's
steps as (
    select
        c.*,
        k.cause,
        abs(p.numerator) + abs(p.denominator) as moved_count,
        coalesce(c.numerator_before, 0) + sum(coalesce(p.numerator, 0)) over upto as numerator_then,
        coalesce(c.denominator_before, 0) + sum(coalesce(p.denominator, 0)) over upto as denominator_then
    from cells as c
    cross join {{ ref('change_cause') }} as k
    left join {{ source('changes', 'part') }} as p
        on p.publication_no = c.publication_no
        {% for column in cell %}and p.{{ column }} = c.{{ column }} {% endfor %}
        and p.cause = k.cause
    where k.cause = 0 or p.cause is not null
    window upto as (partition by c.publication_no, {% for column in cell %}c.{{ column }}{{ ', ' if not loop.last }}{% endfor %} order by k.cause)
),

-- a step without a value (0 of 0) leaves the value before it
valued as (
    select
        s.*,
        coalesce({{ value_of('numerator_then', 'denominator_then', 'value_kind', 'period_year', 'is_own_base') }}, value_before) as value_then
    from steps as s
),

moved as (
    select
        v.*,
        case
            when value_before is not null and value_after is not null
                then value_then - lag(value_then, 1, value_before) over (
                    partition by publication_no, {{ cell | join(', ') }} order by cause
                )
        end as value_part
    from valued as v
),

-- the publications of a day together
days as (
    select
        as_of,
        {{ cell | join(',\n        ') }},
        value_kind,
        period_year,
        period_end_on,
        {{ cause_parts('value_part') }},
        {%- for end, pick in [('before', ''), ('after', ' desc')] %}
        {%- for figure in ['numerator', 'denominator', 'value', 'target'] %}
        (array_agg({{ figure }}_{{ end }} order by publication_no{{ pick }}))[1] as {{ figure }}_{{ end }},
        {%- endfor %}
        {%- endfor %}
        sum(target_before - target_of_plan) filter (where cause = 0) as gap_plan_part,
        (array_agg(cause order by abs(value_part) desc nulls last, moved_count desc, cause) filter (where moved_count > 0))[1] as main_cause
    from moved
    group by as_of, {{ cell | join(', ') }}, value_kind, period_year, period_end_on
),

-- what each institution's own change does to the value of a cell that it is a part of
influences as (
    select
        d.as_of,
        {% for column in cell %}d.{{ column }}, {% endfor %}
        i.inst_code,
        (
            coalesce(m.numerator_after, 0) - coalesce(m.numerator_before, 0)
            - case
                when d.value_kind = 'count' then 0
                else coalesce(d.numerator_before / nullif(d.denominator_before, 0), 0)
                    * (coalesce(m.denominator_after, 0) - coalesce(m.denominator_before, 0))
            end
        ) / case when d.value_kind = 'count' then 1 else nullif(d.denominator_after, 0) end as influence
    from days as d
    inner join days as m
        on m.as_of = d.as_of and m.variant_code = d.variant_code and m.definition_version = d.definition_version
        and m.period_code = d.period_code
        and m.grain = case d.grain when 'city' then 'institution' else 'institution_' || d.grain end
        and (d.grain = 'city' or substr(m.unit_code, 7) = d.unit_code)
    inner join {{ ref('ind_unit') }} as i on i.grain = 'institution' and i.unit_code = substr(m.unit_code, 1, 5)
    where d.grain in ('city', 'level_type', 'category', 'discipline')
),

contributors as (
    select
        n.as_of,
        {% for column in cell %}n.{{ column }}, {% endfor %}
        string_agg(u.unit_name_zh || ' ' || {{ display_change('n.influence', 'i.unit_zh', 'i.display_scale') }}, '；' order by n.place) as contributors_zh
    from (
        select *, row_number() over (partition by as_of, {{ cell | join(', ') }} order by abs(influence) desc, inst_code) as place
        from influences
        where influence <> 0
    ) as n
    inner join {{ ref('ind_unit') }} as u on u.grain = 'institution' and u.unit_code = n.inst_code
    inner join {{ ref('indicator') }} as i on i.variant_code = n.variant_code and i.definition_version = n.definition_version
    where n.place <= 3
    group by n.as_of, {% for column in cell %}n.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
)

select
    d.as_of,
    d.as_of = max(d.as_of) over () as is_latest,
    i.indicator_code,
    d.variant_code,
    i.is_official,
    d.definition_version,
    i.name_zh,
    i.name_en,
    d.grain,
    g.name_zh as grain_zh,
    g.name_en as grain_en,
    d.unit_code,
    coalesce(u.unit_name_zh, d.unit_code) as unit_name_zh,
    u.inst_code,
    case when d.grain = 'city' then 0 else institution.inst_order end as inst_order,
    d.period_code,
    d.period_year,
    d.period_end_on,
    d.period_end_on <= d.as_of as is_complete,
    i.unit_zh,
    i.display_scale,
    d.numerator_before,
    d.numerator_after,
    d.denominator_before,
    d.denominator_after,
    d.value_before,
    d.value_after,
    d.value_after - d.value_before as value_difference,
    d.new_part,
    d.correction_part,
    d.deletion_part,
    d.quarantine_part,
    d.calendar_part,
    d.definition_part,
    d.unexplained_part,
    {{ display('d.value_before', 'i.unit_zh', 'i.display_scale') }} as value_before_display,
    {{ display('d.value_after', 'i.unit_zh', 'i.display_scale') }} as value_after_display,
    {{ display_change('d.value_after - d.value_before', 'i.unit_zh', 'i.display_scale') }} as difference_display,
    k.cause_code as main_cause_code,
    k.name_zh as main_cause_zh,
    n.contributors_zh,
    d.target_before,
    d.target_after,
    (d.value_after - d.target_after) - (d.value_before - d.target_before) as gap_difference,
    d.gap_plan_part,
    d.target_before - d.target_after - d.gap_plan_part as gap_baseline_part,
    {{ provenance_columns() }}
from days as d
inner join {{ ref('indicator') }} as i on i.variant_code = d.variant_code and i.definition_version = d.definition_version
inner join {{ ref('grain') }} as g on g.grain = d.grain
left join {{ ref('change_cause') }} as k on k.cause = d.main_cause
left join {{ ref('ind_unit') }} as u on u.grain = d.grain and u.unit_code = d.unit_code
left join contributors as n
    on n.as_of = d.as_of
    {% for column in cell %}and n.{{ column }} = d.{{ column }} {% endfor %}
{{ join_institution_of('u.inst_code') }}
