with quotas as (
    select plan_year, inst_code, degree_level, degree_type, study_mode, sum(quota_count) as quota
    from {{ ref('fct_admission_plan') }}
    where is_latest_revision
    group by plan_year, inst_code, degree_level, degree_type, study_mode
),

entrants as (
    select exam_year, inst_code, degree_level, degree_type, study_mode, count(*) as registered
    from {{ ref('fct_admission') }}
    where is_registered
    group by exam_year, inst_code, degree_level, degree_type, study_mode
),

both_sides as (
    select plan_year as exam_year, inst_code, degree_level, degree_type, study_mode, quota, 0 as registered from quotas
    union all
    select exam_year, inst_code, degree_level, degree_type, study_mode, 0, registered from entrants
)

select
    cast(b.exam_year as integer) as exam_year,
    {{ make_date('cast(b.exam_year as integer)', 10, 31) }} as period_end_on,
    b.inst_code,
    max(institution.inst_name) as inst_name,
    max(institution.inst_order) as inst_order,
    {{ code_or_none('b.degree_level') }} as degree_level,
    {{ label_zh('max(degree_level.name_zh)') }} as degree_level_zh,
    {{ code_or_none('b.degree_type') }} as degree_type,
    {{ label_zh('max(degree_type.name_zh)') }} as degree_type_zh,
    {{ code_or_none('b.study_mode') }} as study_mode,
    {{ label_zh('max(study_mode.name_zh)') }} as study_mode_zh,
    cast(sum(b.quota) as integer) as quota_count,
    cast(sum(b.registered) as integer) as registered_count,
    {{ provenance_columns() }}
from both_sides as b
{{ join_institution('b') }}
{{ join_degree_names('b') }}
{{ join_name('study_mode', 'b.study_mode', 'study_mode') }}
where {{ make_date('cast(b.exam_year as integer)', 10, 31) }} <= {{ as_of() }}
group by b.exam_year, b.inst_code, b.degree_level, b.degree_type, b.study_mode
