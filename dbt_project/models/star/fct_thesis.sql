{{ config(follows={
    'key': 'student_id', 'rows': {'thesis': 'student_id', 'dim_student': 'student_id'},
    'looks_up': {
        'dim_degree_point': 'degree_point_id', 'dim_supervisor': 'supervisor_id',
        'commissioned_project': ['project_id', 'source_project_id'], 'practice_project': ['project_id', 'source_project_id'],
    },
}) }}
with projects as (
    select project_id from {{ source('accepted', 'commissioned_project') }}
    union
    select project_id from {{ source('accepted', 'practice_project') }}
)

select
    t.thesis_id,
    {{ institution_of('coalesce(t.student_id, t.degree_point_id)') }} as inst_code,
    {{ key(institution_of('coalesce(t.student_id, t.degree_point_id)')) }} as institution_key,
    t.student_id,
    student_then.student_key,
    student_now.person_key,
    t.degree_point_id,
    degree_point_then.degree_point_key,
    degree_point_now.discipline_code,
    coalesce(student_now.degree_level, degree_point_now.degree_level) as degree_level,
    coalesce(student_now.degree_type, degree_point_now.degree_type) as degree_type,
    t.supervisor_id,
    supervisor_then.supervisor_key,
    t.output_kind,
    output_kind.name_zh as output_kind_name,
    t.thesis_type_code,
    t.topic_source_code,
    topic_source.name_zh as topic_source_name,
    t.source_project_id,
    projects.project_id is not null as is_source_project_accepted,
    t.frontline_flag as is_frontline_claimed,
    t.frontline_flag or t.topic_source_code = '14' as is_frontline_topic,
    (t.frontline_flag or t.topic_source_code = '14')
    and coalesce(t.frontline_evidence_code, '0') <> '0'
    and (coalesce(t.topic_source_code, '') <> '14' or projects.project_id is not null) as is_frontline_evidenced,
    t.frontline_evidence_code,
    evidence.name_zh as frontline_evidence_name,
    t.enterprise_uscc,
    {{ enterprise_key('t.enterprise_uscc') }} as enterprise_key,
    t.opened_on,
    {{ academic_year('t.opened_on') }} as opened_academic_year,
    t.submitted_on,
    t.similarity_pct / 100 as similarity_share,
    t.confidential_level
from {{ source('accepted', 'thesis') }} as t
{{ join_versions('dim_student', 't.student_id', 't.opened_on') }}
{{ join_versions('dim_degree_point', 't.degree_point_id', 't.opened_on') }}
{{ join_version_then('dim_supervisor', 't.supervisor_id', 't.opened_on') }}
left join projects on projects.project_id = t.source_project_id
{{ join_name('output_kind', 't.output_kind', 'output_kind') }}
{{ join_name('thesis_topic_source', 't.topic_source_code', 'topic_source') }}
{{ join_name('frontline_evidence', 't.frontline_evidence_code', 'evidence') }}
where {{ touched('t.student_id') }}
