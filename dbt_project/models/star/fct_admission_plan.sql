select
    p.plan_year,
    {{ institution_of('p.degree_point_id') }} as inst_code,
    {{ key(institution_of('p.degree_point_id')) }} as institution_key,
    p.degree_point_id,
    degree_point_then.degree_point_key,
    degree_point_now.discipline_code,
    degree_point_now.degree_level,
    degree_point_now.degree_type,
    p.study_mode,
    p.special_plan_code,
    special_plan.name_zh as special_plan_name,
    p.revision_no,
    p.revision_no = max(p.revision_no) over (
        partition by p.plan_year, p.degree_point_id, p.study_mode, p.special_plan_code
    ) as is_latest_revision,
    p.plan_quota as quota_count,
    p.issued_on
from {{ source('accepted', 'admission_plan') }} as p
{{ join_versions('dim_degree_point', 'p.degree_point_id', 'p.issued_on') }}
{{ join_name('admission_special_plan', 'p.special_plan_code', 'special_plan') }}
