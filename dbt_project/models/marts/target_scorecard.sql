with official as (
    select
        v.*,
        s.value_before,
        s.baseline_value,
        lag(v.period_code) over (partition by v.variant_code order by v.period_year) as period_before
    from {{ ref('indicator_value') }} as v
    inner join {{ ref('ind_status') }} as s
        on s.variant_code = v.variant_code
        and s.definition_version = v.definition_version
        and s.grain = v.grain
        and s.unit_code = v.unit_code
        and s.period_code = v.period_code
    where v.is_official and v.grain = 'city'
),

-- the latest complete period that has a value (a base year that is only compared with itself has none); without one the
-- latest period
latest as (
    select
        o.*,
        row_number() over (
            partition by indicator_code
            order by
                case when is_complete and (value is not null or status_reason_code = 'BASE-YEAR') then 0 else 1 end,
                period_year desc
        ) as recency
    from official as o
),

-- the year that is running, beside it: what is known so far, not judged
running as (
    select distinct on (indicator_code)
        indicator_code, period_code, period_end_on, numerator, denominator, value, path_value
    from official
    where not is_complete
    order by indicator_code, period_year desc
)

select
    l.indicator_code,
    l.variant_code,
    l.name_zh,
    l.name_en,
    i.clause_zh,
    l.definition_version,
    l.doc_version,
    l.as_of,
    l.period_basis,
    l.period_code,
    l.period_year,
    l.period_end_on,
    l.is_complete,
    l.numerator,
    l.denominator,
    l.value,
    l.case_count,
    l.unit_zh,
    l.display_scale,
    l.period_before as previous_period_code,
    l.value_before as previous_value,
    t.baseline_year,
    l.baseline_value,
    t.baseline_status,
    t.op as target_op,
    l.plan_target_value,
    l.target_value,
    t.due_on,
    t.path_kind,
    l.path_value,
    l.target_is_proposed,
    l.value_display,
    l.target_display,
    l.path_display,
    l.value - l.target_value as gap_to_target,
    l.value - l.path_value as gap_to_path,
    -- a floor or a trend is to be held, not approached
    case
        when t.path_kind in ('FLOOR', 'TREND') then null
        when l.status_reason_code = 'BASE-YEAR' and l.value is null then l.target_value - l.baseline_value
        when l.target_value is not null then greatest(l.target_value - l.value, 0)
    end / nullif(greatest({{ year_of("t.due_on") }} - l.period_year, 0), 0) as required_annual_change,
    l.status_code,
    l.status_reason_code,
    l.status_zh,
    l.status_order,
    l.status_colour,
    i.caveat_zh,
    l.confidence_grade,
    l.confidence_grade_zh,
    l.confidence_entity_code,
    l.confidence_dimension_code,
    l.lcl95,
    l.ucl95,
    l.definition_lowest,
    l.definition_highest,
    e.projected_2030,
    e.projected_lcl80,
    e.projected_ucl80,
    l.judged_by_code,
    l.judged_by_zh,
    l.judged_value,
    l.judged_floor,
    l.probability_below,
    l.probability_decline,
    r.period_code as running_period_code,
    r.period_end_on as running_period_end_on,
    r.numerator as running_numerator,
    r.denominator as running_denominator,
    r.value as running_value,
    r.path_value as running_path_value,
    {{ provenance_columns() }}
from latest as l
inner join {{ ref('indicator') }} as i
    on i.variant_code = l.variant_code and i.definition_version = l.definition_version
left join {{ ref('target') }} as t on t.variant_code = l.variant_code and t.doc_version = l.doc_version
left join {{ source('estimates', 'indicator_estimate') }} as e
    on e.variant_code = l.variant_code
    and e.grain = l.grain
    and e.unit_code = l.unit_code
    and e.period_code = l.period_code
left join running as r on r.indicator_code = l.indicator_code and r.period_code <> l.period_code
where l.recency = 1
