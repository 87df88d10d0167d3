-- Joins on five columns of text are estimated at one row, and a nested loop over what is estimated so takes fifty times as long.
-- So does a merge by grain alone, which then looks at the other four in every pair of rows.
{{ config(pre_hook=["set local enable_nestloop = off", "set local enable_mergejoin = off"]) }}

with assessed as (
    {{ assessed_runs('indicator_confidence') }}
),

confidence as (
    select c.variant_code, c.unit_code, c.grade, c.weakest_entity, c.weakest_dimension
    from {{ source('quality', 'indicator_confidence') }} as c
    inner join assessed as a on a.run_id = c.run_id
    where a.recency = 1
),

-- where the registry has a statistical rule, it judges instead of the path rule (docs/statistics.md); estimates are of the
-- definition in force
stated as (
    select
        s.variant_code,
        s.definition_version,
        s.grain,
        s.unit_code,
        s.period_code,
        s.is_small_number,
        s.target_op,
        s.plan_target_value,
        s.target_value,
        s.path_value,
        s.target_is_proposed,
        coalesce(e.status_code, s.status_code) as status_code,
        case
            when e.status_code is not null then e.judged_by
            when p.path_kind in ('TREND', 'FLOOR') then 'RAW'
            when p.path_kind is not null then 'PATH'
        end as judged_by,
        e.judged_numerator,
        e.judged_denominator,
        e.judged_value,
        e.judged_floor,
        case when e.status_code is null then s.status_reason_code else e.status_reason_code end as status_reason_code,
        e.estimator,
        e.lcl95,
        e.ucl95,
        e.adjusted_value,
        e.benchmark_value,
        e.benchmark_own_share,
        e.probability_below,
        e.probability_decline,
        e.pooled_years
    from {{ ref('ind_status') }} as s
    left join {{ ref('target') }} as p
        on p.variant_code = s.variant_code and p.doc_version = '{{ var("plan_doc_version") }}'
    left join {{ source('estimates', 'indicator_estimate') }} as e
        on s.is_in_force
        and e.variant_code = s.variant_code
        and e.grain = s.grain
        and e.unit_code = s.unit_code
        and e.period_code = s.period_code
),

-- no confidence in the data comes before any other status; within an institution its grade holds, elsewhere the city's
judged as (
    select
        s.*,
        u.unit_name_zh,
        u.unit_name_en,
        u.inst_code,
        c.grade,
        c.weakest_entity,
        c.weakest_dimension,
        case when c.grade = 'NCID' then 'NCID' else s.status_code end as final_status_code,
        case when c.grade = 'NCID' then 'DATA-QUALITY' else s.status_reason_code end as final_reason_code,
        case when coalesce(c.grade, '') <> 'NCID' and s.status_code <> 'GREY' then s.judged_by end as final_judged_by
    from stated as s
    inner join {{ ref('ind_unit') }} as u on u.grain = s.grain and u.unit_code = s.unit_code
    left join confidence as c
        on c.variant_code = s.variant_code and c.unit_code = coalesce(u.inst_code, '{{ var("city_code") }}')
)

select
    i.indicator_code,
    v.variant_code,
    i.is_official,
    i.definition_version,
    '{{ var("plan_doc_version") }}' as doc_version,
    v.grain,
    g.name_zh as grain_zh,
    g.name_en as grain_en,
    v.unit_code,
    s.unit_name_zh,
    s.unit_name_en,
    s.inst_code,
    case when v.grain = 'city' then 0 else institution.inst_order end as inst_order,
    v.period_basis,
    v.period_code,
    v.period_year,
    v.period_start_on,
    v.period_end_on,
    {{ completeness('v.period_end_on', ['v.variant_code', 'v.grain']) }},
    {{ as_of() }} as as_of,
    v.numerator,
    v.denominator,
    v.value,
    case when v.value_kind = 'ratio' then coalesce(n.case_count, v.denominator) when v.value_kind = 'count' and i.unit_zh <> '元' then v.numerator end as case_count,
    s.is_small_number,
    i.unit_zh,
    i.display_scale,
    s.plan_target_value,
    s.target_value,
    s.path_value,
    s.target_is_proposed,
    {{ display('v.value', 'i.unit_zh', 'i.display_scale') }} as value_display,
    {{ display_target('s.target_op', 's.target_value', 's.plan_target_value', 'i.unit_zh', 'i.display_scale', 's.target_is_proposed') }} as target_display,
    {{ display('s.path_value', 'i.unit_zh', 'i.display_scale') }} as path_display,
    s.final_status_code as status_code,
    s.final_reason_code as status_reason_code,
    coalesce(replace(j.status_zh, '{years}', cast(s.pooled_years as text)), j.status_zh, t.status_zh) as status_zh,
    colour.status_order,
    colour.colour_hex as status_colour,
    i.name_zh,
    i.name_en,
    s.grade as confidence_grade,
    grade.name_zh as confidence_grade_zh,
    s.weakest_entity as confidence_entity_code,
    s.weakest_dimension as confidence_dimension_code,
    s.estimator as estimator_code,
    s.lcl95,
    s.ucl95,
    s.adjusted_value,
    s.benchmark_value,
    s.benchmark_own_share,
    s.probability_below,
    s.probability_decline,
    s.pooled_years,
    s.final_judged_by as judged_by_code,
    j.rule_zh as judged_by_zh,
    s.judged_numerator,
    s.judged_denominator,
    s.judged_value,
    s.judged_floor,
    r.lowest_value as definition_lowest,
    r.highest_value as definition_highest,
    r.definition_count,
    {{ provenance_columns() }}
from {{ ref('ind_value') }} as v
inner join {{ ref('indicator') }} as i
    on i.variant_code = v.variant_code and i.definition_version = v.definition_version
inner join {{ ref('grain') }} as g on g.grain = v.grain
inner join judged as s
    on s.variant_code = v.variant_code
    and s.definition_version = v.definition_version
    and s.grain = v.grain
    and s.unit_code = v.unit_code
    and s.period_code = v.period_code
left join {{ ref('ind_definition_range') }} as r
    on i.is_official
    and r.indicator_code = i.indicator_code
    and r.grain = v.grain
    and r.unit_code = v.unit_code
    and r.period_year = v.period_year
inner join {{ ref('indicator_status') }} as t
    on t.status_code = s.final_status_code
    and coalesce(t.status_reason_code, '') = coalesce(s.final_reason_code, '')
left join {{ ref('ind_case_count') }} as n
    on n.variant_code = v.variant_code and n.grain = v.grain and n.unit_code = v.unit_code and n.period_code = v.period_code
{{ join_status('s.final_status_code') }}
{{ join_institution_of('s.inst_code') }}
left join {{ ref('indicator_judgement') }} as j
    on j.judged_by_code = s.final_judged_by and j.status_code = s.final_status_code
{{ join_name('data_confidence', 's.grade', 'grade') }}
