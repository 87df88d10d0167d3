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
    s.status_code,
    s.status_reason_code,
    t.status_zh,
    i.name_zh,
    i.name_en
from {{ ref('ind_value') }} as v
inner join {{ ref('indicator') }} as i on i.variant_code = v.variant_code
inner join {{ ref('ind_unit') }} as u on u.grain = v.grain and u.unit_code = v.unit_code
inner join {{ ref('ind_status') }} as s
    on s.variant_code = v.variant_code
    and s.grain = v.grain
    and s.unit_code = v.unit_code
    and s.period_code = v.period_code
inner join {{ ref('indicator_status') }} as t
    on t.status_code = s.status_code
    and coalesce(t.status_reason_code, '') = coalesce(s.status_reason_code, '')
