{{ config(follows={
    'key': 'event_id', 'rows': {'supervisor_event': 'event_id'}, 'looks_up': {'dim_supervisor': 'supervisor_id'},
}) }}
select
    e.event_id,
    e.supervisor_id,
    supervisor_then.supervisor_key,
    supervisor_now.person_key,
    {{ institution_of('e.supervisor_id') }} as inst_code,
    {{ key(institution_of('e.supervisor_id')) }} as institution_key,
    e.event_type,
    event_type.name_zh as event_type_name,
    e.event_on,
    {{ year_of('e.event_on') }} as event_year,
    e.end_on,
    e.hours as training_hours,
    e.result_code,
    result.name_zh as result_name,
    e.platform_id
from {{ source('accepted', 'supervisor_event') }} as e
{{ join_versions('dim_supervisor', 'e.supervisor_id', 'e.event_on') }}
{{ join_name('supervisor_event_type', 'e.event_type', 'event_type') }}
{{ join_name('assessment_result', 'e.result_code', 'result') }}
where {{ touched('e.event_id') }}
