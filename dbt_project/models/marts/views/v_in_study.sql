select
    census_year,
    period_end_on,
    inst_code,
    inst_name,
    inst_order,
    degree_level,
    degree_level_zh,
    degree_level_en,
    degree_type,
    degree_type_zh,
    degree_type_en,
    study_mode,
    study_mode_zh,
    study_mode_en,
    in_study_count,
    is_simulated,
    city_scale
from {{ ref('student_flow') }}
where is_latest_complete
