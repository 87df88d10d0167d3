{{ config(follows={
    'key': 'student_id',
    'rows': {'dim_student': 'student_id', 'thesis': 'student_id', 'degree_award': 'student_id', 'employment': 'student_id'},
    'looks_up': {'dim_degree_point': 'degree_point_id'}, 'days': {'dim_student': ['left_on']},
}) }}
with theses as (
    select t.student_id, min(t.opened_on) as first_opened_on, max(t.submitted_on) as last_submitted_on
    from {{ source('accepted', 'thesis') }} as t
    where {{ touched('t.student_id') }}
    group by t.student_id
),

awards as (
    select a.student_id, min(a.awarded_on) as first_awarded_on
    from {{ source('accepted', 'degree_award') }} as a
    where {{ touched('a.student_id') }}
    group by a.student_id
),

jobs as (
    select e.student_id, min(e.status_on) as first_employed_on
    from {{ source('accepted', 'employment') }} as e
    inner join {{ ref('destination_scope') }} as scope on scope.destination_code = e.destination_code
    where scope.is_employed and {{ touched('e.student_id') }}
    group by e.student_id
)

select
    s.student_id,
    s.student_key,
    s.person_key,
    s.inst_code,
    s.institution_key,
    s.unit_code,
    s.org_unit_key,
    s.degree_point_id,
    degree_point.degree_point_key,
    s.discipline_code,
    s.programme_key,
    s.degree_level,
    s.degree_type,
    s.study_mode,
    s.status_code,
    s.entry_on,
    s.expected_end_on,
    theses.first_opened_on as first_thesis_opened_on,
    theses.last_submitted_on as last_thesis_submitted_on,
    awards.first_awarded_on,
    s.left_on,
    case when s.left_on <= {{ as_of() }} then {{ year_of('s.left_on') }} end as left_year,
    s.nationality_code <> 'CHN' as is_international,
    jobs.first_employed_on,
    {{ days_between('s.entry_on', 'awards.first_awarded_on') }} as entry_to_award_days_count,
    awards.student_id is not null as is_awarded,
    jobs.student_id is not null as is_employed
from {{ ref('dim_student') }} as s
left join {{ ref('dim_degree_point') }} as degree_point
    on degree_point.degree_point_id = s.degree_point_id and degree_point.is_current
left join theses on theses.student_id = s.student_id
left join awards on awards.student_id = s.student_id
left join jobs on jobs.student_id = s.student_id
where s.is_current and {{ touched('s.student_id') }}
