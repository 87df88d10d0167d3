select
    indicator_code,
    variant_code,
    name_zh,
    name_en,
    unit_code as degree_point_id,
    unit_name_zh as degree_point_zh,
    inst_code,
    inst_order,
    period_code,
    period_year,
    period_end_on,
    numerator,
    denominator,
    case_count,
    value,
    value_display,
    unit_zh,
    lcl95,
    ucl95,
    target_value,
    target_display,
    path_value,
    path_display,
    status_code,
    status_zh,
    status_order,
    status_colour,
    confidence_grade,
    is_simulated,
    city_scale
from {{ ref('indicator_value') }}
where grain = 'degree_point' and is_latest_complete and (
        is_official
        or variant_code in (select i.variant_code from {{ ref('indicator') }} as i where i.is_beside_official)
    )
