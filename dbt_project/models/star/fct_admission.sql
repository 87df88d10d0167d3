{{ config(follows={
    'key': 'admission_id', 'rows': {'admission': 'admission_id'},
    'looks_up': {'dim_degree_point': 'degree_point_id', 'programme': 'programme_id'},
}) }}
select
    a.admission_id,
    a.person_key,
    {{ institution_of('a.degree_point_id') }} as inst_code,
    {{ key(institution_of('a.degree_point_id')) }} as institution_key,
    a.degree_point_id,
    degree_point_then.degree_point_key,
    discipline.discipline_code,
    coalesce(discipline.is_urgent, false) as is_urgent_discipline,
    a.programme_id,
    {{ key(institution_of('a.degree_point_id'), 'a.programme_id') }} as programme_key,
    a.exam_year,
    a.degree_level,
    a.degree_type,
    a.study_mode,
    a.admission_mode,
    admission_mode.name_zh as admission_mode_name,
    a.special_plan_code,
    a.prior_inst_code,
    a.admitted_on,
    a.registered as is_registered
from {{ source('accepted', 'admission') }} as a
{{ join_versions('dim_degree_point', 'a.degree_point_id', 'a.admitted_on') }}
left join {{ source('accepted', 'programme') }} as programme on programme.programme_id = a.programme_id
{{ join_programme_succession('programme.programme_code') }}
left join {{ ref('dim_discipline') }} as discipline
    on discipline.discipline_code = coalesce(programme_succession.discipline_code, degree_point_now.discipline_code)
{{ join_name('admission_type', 'a.admission_mode', 'admission_mode') }}
where {{ touched('a.admission_id') }}
