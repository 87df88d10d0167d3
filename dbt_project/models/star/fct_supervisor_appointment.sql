{{ config(follows={
    'key': 'appointment_id', 'rows': {'supervisor_appointment': 'appointment_id'},
    'looks_up': {'dim_supervisor': 'supervisor_id', 'dim_degree_point': 'degree_point_id', 'mentor_pool_entry': 'pool_entry_id'},
    'days': {'supervisor_appointment': ['from_on', 'to_on']},
}) }}
-- The institution is the one that appoints; home_inst_code is the supervisor's own.
select
    a.appointment_id,
    a.supervisor_id,
    supervisor_then.supervisor_key,
    supervisor_now.person_key,
    a.inst_code,
    {{ key('a.inst_code') }} as institution_key,
    {{ institution_of('a.supervisor_id') }} as home_inst_code,
    {{ institution_of('a.supervisor_id') }} <> a.inst_code as is_from_other_institution,
    coalesce(supervisor_now.employer_region_code like '51%', false) as is_from_sichuan,
    supervisor_now.supervisor_kind,
    a.degree_point_id,
    degree_point_then.degree_point_key,
    a.role_code,
    role.name_zh as role_name,
    a.from_on,
    {{ academic_year('a.from_on') }} as academic_year,
    {{ year_of('a.from_on') }} as appointed_year,
    a.to_on,
    a.from_on <= {{ as_of() }} and (a.to_on is null or a.to_on >= {{ as_of() }}) as is_open,
    a.pool_entry_id,
    pool.pool_entry_id is not null and a.from_on >= pool.entered_on as is_from_pool
from {{ source('accepted', 'supervisor_appointment') }} as a
{{ join_versions('dim_supervisor', 'a.supervisor_id', 'a.from_on') }}
{{ join_version_then('dim_degree_point', 'a.degree_point_id', 'a.from_on') }}
left join {{ source('accepted', 'mentor_pool_entry') }} as pool on pool.pool_entry_id = a.pool_entry_id
{{ join_name('supervision_role', 'a.role_code', 'role') }}
where {{ touched('a.appointment_id') }}
