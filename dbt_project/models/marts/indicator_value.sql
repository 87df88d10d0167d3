with assessed as (
    {{ assessed_runs('indicator_confidence') }}
),

confidence as (
    select c.variant_code, c.unit_code, c.grade, c.weakest_entity, c.weakest_dimension
    from {{ source('quality', 'indicator_confidence') }} as c
    inner join assessed as a on a.run_id = c.run_id
    where a.recency = 1
),

-- no confidence in the data comes before any other status; below an institution its grade holds, elsewhere the city's
judged as (
    select
        s.*,
        c.grade,
        c.weakest_entity,
        c.weakest_dimension,
        case when c.grade = 'NCID' then 'NCID' else s.status_code end as final_status_code,
        case when c.grade = 'NCID' then 'DATA-QUALITY' else s.status_reason_code end as final_reason_code
    from {{ ref('ind_status') }} as s
    left join confidence as c
        on c.variant_code = s.variant_code
        and c.unit_code = case
            when s.grain in ('institution', 'degree_point') then substr(s.unit_code, 1, 5)
            else '{{ var("city_code") }}'
        end
)

select
    i.indicator_code,
    v.variant_code,
    i.is_official,
    i.definition_version,
    '{{ var("plan_doc_version") }}' as doc_version,
    v.grain,
    v.unit_code,
    u.unit_name_zh,
    v.period_basis,
    v.period_code,
    v.period_year,
    v.period_start_on,
    v.period_end_on,
    v.is_complete,
    {{ as_of() }} as as_of,
    v.numerator,
    v.denominator,
    v.value,
    i.unit_zh,
    i.display_scale,
    s.target_value,
    s.path_value,
    s.final_status_code as status_code,
    s.final_reason_code as status_reason_code,
    t.status_zh,
    i.name_zh,
    i.name_en,
    s.grade as confidence_grade,
    grade.name_zh as confidence_grade_zh,
    s.weakest_entity as confidence_entity_code,
    s.weakest_dimension as confidence_dimension_code
from {{ ref('ind_value') }} as v
inner join {{ ref('indicator') }} as i on i.variant_code = v.variant_code
inner join {{ ref('ind_unit') }} as u on u.grain = v.grain and u.unit_code = v.unit_code
inner join judged as s
    on s.variant_code = v.variant_code
    and s.grain = v.grain
    and s.unit_code = v.unit_code
    and s.period_code = v.period_code
inner join {{ ref('indicator_status') }} as t
    on t.status_code = s.final_status_code
    and coalesce(t.status_reason_code, '') = coalesce(s.final_reason_code, '')
{{ join_name('data_confidence', 's.grade', 'grade') }}
