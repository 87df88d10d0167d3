{{ config(follows={
    'key': 'student_id', 'rows': {'employment': 'student_id', 'dim_student': 'student_id', 'fct_honour': 'student_id'},
    'looks_up': {
        'dim_degree_point': 'degree_point_id', 'dim_enterprise': ['uscc', 'employer_uscc'],
        'dim_cluster': ['cluster_code', 'employer_cluster_code'],
    },
    'days': {'fct_honour': ['granted_on']},
}) }}
with outstanding_students as (
    select distinct student_id
    from {{ ref('fct_honour') }}
    where granted_on <= {{ as_of() }}
        and ((holder_kind = 'S' and honour_code = '01') or (holder_kind = 'X' and honour_code = '02'))
)

select
    e.student_id,
    student_then.student_key,
    student_now.person_key,
    {{ institution_of('e.student_id') }} as inst_code,
    {{ key(institution_of('e.student_id')) }} as institution_key,
    student_now.degree_point_id,
    degree_point_then.degree_point_key,
    student_now.discipline_code,
    student_now.degree_level,
    student_now.degree_type,
    student_now.study_mode,
    e.grad_year,
    e.status_on,
    case
        when {{ year_of('e.status_on') }} <> e.grad_year then null
        when extract(month from e.status_on) = 8 and extract(day from e.status_on) = 31 then 'EP1'
        when extract(month from e.status_on) = 12 and extract(day from e.status_on) = 31 then 'EP2'
    end as point_code,
    e.destination_code,
    destination.name_zh as destination_name,
    coalesce(scope.is_employed, false) as is_employed,
    coalesce(scope.is_further_study, false) as is_further_study,
    e.employer_uscc,
    {{ enterprise_key('e.employer_uscc') }} as enterprise_key,
    e.employer_kind_code,
    e.industry_code,
    e.region_code,
    coalesce(e.region_code like '50%', false) as is_in_chongqing,
    e.post_category_code,
    coalesce(e.is_key_post, false) as is_key_post,
    e.cluster_code,
    enterprise.cluster_code as employer_cluster_code,
    coalesce(e.cluster_code, enterprise.cluster_code) as resolved_cluster_code,
    matched.cluster_code is not null as is_cluster_matched,
    coalesce(employer_cluster.is_key, false) as is_employer_in_key_cluster,
    outstanding.student_id is not null as is_outstanding,
    e.verify_state,
    verify_state.name_zh as verify_state_name
from {{ source('accepted', 'employment') }} as e
{{ join_versions('dim_student', 'e.student_id', 'e.status_on') }}
{{ join_version_then('dim_degree_point', 'student_now.degree_point_id', 'e.status_on') }}
left join {{ ref('dim_enterprise') }} as enterprise on enterprise.uscc = e.employer_uscc
left join {{ ref('dim_cluster') }} as employer_cluster on employer_cluster.cluster_code = enterprise.cluster_code
left join {{ ref('bridge_key_cluster') }} as matched
    on matched.discipline_code = student_now.discipline_code
    and matched.cluster_code = coalesce(e.cluster_code, enterprise.cluster_code)
    and matched.is_matched
left join outstanding_students as outstanding on outstanding.student_id = e.student_id
left join {{ ref('destination_scope') }} as scope on scope.destination_code = e.destination_code
{{ join_name('graduation_destination', 'e.destination_code', 'destination') }}
{{ join_name('verify_state', 'e.verify_state', 'verify_state') }}
where {{ touched('e.student_id') }}
