select
    r.revision_id,
    {{ present_institution('coalesce(course.inst_code, r.src_inst_code)') }} as inst_code,
    {{ key(present_institution('coalesce(course.inst_code, r.src_inst_code)')) }} as institution_key,
    r.course_id,
    course.course_key,
    course.org_unit_key,
    r.revision_kind,
    revision_kind.name_zh as revision_kind_name,
    r.changed_content_ratio as changed_content_share,
    r.approved_on,
    {{ academic_year('r.approved_on') }} as academic_year,
    r.effective_term,
    r.evidence_uri,
    r.approver_kind,
    approver_kind.name_zh as approver_kind_name
from {{ source('accepted', 'course_revision') }} as r
left join {{ ref('dim_course') }} as course on course.course_id = r.course_id
{{ join_name('revision_kind', 'r.revision_kind', 'revision_kind') }}
{{ join_name('approver_kind', 'r.approver_kind', 'approver_kind') }}
