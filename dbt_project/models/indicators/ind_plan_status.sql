{{ config(follows={'key': 'unit_code', 'rows': {'ind_value': 'unit_code', 'ind_case_count': 'unit_code'}}) }}
{# The target of a count is a quantity of the whole city; in a simulated one it is compared at that size. A growth rate is not scaled. #}
{% set scale = "case when v.value_kind = 'count' and t.path_kind <> 'CAGR' then " ~ population_scale() ~ " else 1 end" -%}
{# Ways from a baseline to a level; they differ in where the path is, not in how it is judged. #}
{% set ways = "('LINEAR', 'BACKLOADED', 'PIECEWISE')" -%}
with targets as (
    select
        t.variant_code, t.doc_version, t.target_value, t.op, t.path_kind, t.baseline_value, t.baseline_status, t.is_city_only,
        t.judged_finer_grains, t.green_from, t.amber_from, t.is_proposed,
        coalesce(t.baseline_year, {{ var('base_year') }}) as base_year,
        {{ year_of('t.due_on') }} as due_year,
        d.decision_code is not null as is_undecided
    from {{ ref('target') }} as t
    left join {{ ref('decision_log') }} as d on d.decision_code = t.awaits_decision_code and d.state = 'open'
),

steps as (
    select variant_code, doc_version, period_year, path_value, red_below
    from {{ ref('target_path') }}
),

definitions as (
    select variant_code, definition_version, {{ is_definition_in_force() }} as is_in_force
    from {{ ref('indicator') }}
),

compared as (
    select
        p.doc_version,
        v.variant_code, v.definition_version, v.grain, v.unit_code, v.period_code, v.period_year, v.is_complete, v.value,
        v.value_kind, t.is_undecided,
        t.op, t.path_kind, t.base_year, t.due_year, t.green_from, t.amber_from,
        t.target_value as plan_target_value,
        t.target_value * {{ scale }} as target_value,
        d.is_in_force,
        s.path_value * {{ scale }} as step_value,
        s.red_below * {{ scale }} as red_below,
        t.variant_code is not null as has_target,
        coalesce(t.is_proposed, false) as is_proposed,
        coalesce(t.is_city_only, false) and v.grain <> 'city' as is_of_city_only,
        v.grain in ('city', 'institution')
        or ';' || coalesce(t.judged_finer_grains, '') || ';' like '%;' || v.grain || ';%' as is_judged_grain,
        v.value_kind = 'ratio' and coalesce(n.case_count, v.denominator) < coalesce(i.small_number_minimum, 0) as is_small,
        case when coalesce(guard.value, 0) < i.guard_minimum then i.guard_reason_code end as guard_reason,
        case when lag(v.period_year) over series = v.period_year - 1 then lag(v.value) over series end as value_before,
        case
            when t.baseline_status in ('SIGNED', 'PROVISIONAL') and t.baseline_value is not null then t.baseline_value
            when t.baseline_status = 'PROVISIONAL'
                then max(case when v.period_year = t.base_year then v.value end) over unit
        end as baseline
    from {{ ref('ind_value') }} as v
    cross join {{ ref('plan_version') }} as p
    inner join {{ ref('indicator') }} as i
        on i.variant_code = v.variant_code and i.definition_version = v.definition_version
    left join {{ ref('ind_case_count') }} as n
        on n.variant_code = v.variant_code and n.grain = v.grain and n.unit_code = v.unit_code and n.period_code = v.period_code
    left join targets as t on t.variant_code = v.variant_code and t.doc_version = p.doc_version
    left join steps as s
        on s.variant_code = v.variant_code and s.doc_version = p.doc_version and s.period_year = v.period_year
    inner join definitions as d on d.variant_code = v.variant_code and d.definition_version = v.definition_version
    left join definitions as g on g.variant_code = i.guard_variant_code and g.is_in_force
    left join {{ ref('ind_value') }} as guard
        on guard.variant_code = g.variant_code
        and guard.definition_version = g.definition_version
        and guard.grain = v.grain
        and guard.unit_code = v.unit_code
        and guard.period_code = v.period_code
    where {{ touched('v.unit_code') }}
    window
        unit as (partition by p.doc_version, v.variant_code, v.definition_version, v.grain, v.unit_code),
        series as (unit order by v.period_year)
),

-- the target as a level in the variant's own unit
levelled as (
    select
        c.*,
        case
            when path_kind = 'CAGR' then baseline * power(1 + target_value, due_year - base_year)
            else target_value
        end as target
    from compared as c
),

pathed as (
    select
        l.*,
        case when op = '>' then value > target else value >= target end as is_met,
        case when op = '>' then baseline > target else baseline >= target end as is_met_by_baseline,
        case
            when path_kind = 'STEP' then step_value
            when path_kind = 'TREND' then value_before
            when path_kind = 'FLOOR' then target
            when period_year <= base_year then null
            when path_kind = 'CAGR' then baseline * power(1 + target_value, period_year - base_year)
            when baseline >= target then target
            when path_kind = 'PIECEWISE' then step_value
            else baseline + (target - baseline) * power(
                (least(period_year, due_year) - base_year) / cast(due_year - base_year as double precision),
                case when path_kind = 'BACKLOADED' then 2 else 1 end
            )
        end as path
    from levelled as l
),

-- LINEAR and its like: the part of the way to the path that was gone; CAGR: the yearly growth since the baseline
progressed as (
    select
        p.*,
        case
            when path_kind in {{ ways }} then (value - baseline) / nullif(path - baseline, 0)
            when path_kind = 'CAGR' and period_year > base_year and baseline > 0
                then power(greatest(value, 0) / baseline, 1.0 / (period_year - base_year)) - 1
        end as progress
    from pathed as p
),

-- the first reason that applies, in the order of docs/indicators.md
reasoned as (
    select
        p.*,
        case
            when not has_target then 'NO-TARGET'
            when value_kind = 'growth' and path_kind in {{ ways }} and period_year = base_year and not is_of_city_only
                then 'BASE-YEAR'
            when value is null then 'NO-DATA'
            when is_of_city_only then 'CITY-ONLY'
            when is_small then 'SMALL-N'
            when not is_judged_grain then 'NOT-JUDGED'
            when guard_reason is not null then guard_reason
            when is_undecided then 'UNDECIDED'
            when not is_complete then 'NOT-DUE'
            when (path_kind in {{ ways }} or path_kind = 'CAGR') and baseline is null then 'N/A-BASELINE'
            when path_kind = 'CAGR' and baseline <= 0 then 'N/A-BASELINE'
            when path_kind = 'TREND' and value_before is null then 'N/A-BASELINE'
            when path_kind in {{ ways }} and period_year = base_year and not is_met then 'BASE-YEAR'
            when path_kind = 'CAGR' and period_year = base_year then 'BASE-YEAR'
            when path_kind in {{ ways }} and period_year < base_year and not is_met then 'NOT-DUE'
            when path_kind = 'CAGR' and period_year < base_year then 'NOT-DUE'
            when path_kind = 'STEP' and step_value is null and not is_met then 'NOT-DUE'
        end as reason
    from progressed as p
)

select
    doc_version,
    variant_code,
    definition_version,
    grain,
    unit_code,
    period_code,
    is_in_force,
    is_small as is_small_number,
    value_before,
    case when not is_of_city_only then baseline end as baseline_value,
    case when not is_of_city_only then op end as target_op,
    -- the plan's own figure, and the level that the status compares with
    case when not is_of_city_only then case when path_kind = 'CAGR' then target else plan_target_value end end as plan_target_value,
    case when not is_of_city_only then target end as target_value,
    case when not is_of_city_only then path end as path_value,
    is_proposed and not is_of_city_only as target_is_proposed,
    case
        when reason is not null then 'GREY'
        when (path_kind in {{ ways }} or path_kind = 'STEP') and is_met then 'BLUE'
        when path_kind = 'CAGR' and period_year >= due_year and is_met then 'BLUE'
        when path_kind in ('STEP', 'TREND', 'FLOOR') and value >= path then 'GREEN'
        when path_kind = 'STEP' and value < red_below then 'RED'
        when path_kind in ('STEP', 'TREND', 'FLOOR') then 'AMBER'
        when path_kind in {{ ways }} and is_met_by_baseline then 'RED'
        when progress >= green_from then 'GREEN'
        when progress >= amber_from then 'AMBER'
        else 'RED'
    end as status_code,
    reason as status_reason_code
from reasoned
