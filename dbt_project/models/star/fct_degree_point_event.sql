select
    e.event_id,
    {{ institution_of('e.degree_point_id') }} as inst_code,
    {{ key(institution_of('e.degree_point_id')) }} as institution_key,
    e.degree_point_id,
    degree_point_then.degree_point_key,
    degree_point_now.discipline_code,
    degree_point_now.degree_level,
    degree_point_now.degree_type,
    degree_point_now.is_joint_built,
    e.event_type,
    event_type.name_zh as event_type_name,
    e.event_on,
    e.doc_no,
    e.urgent_list_id
from {{ source('accepted', 'degree_point_event') }} as e
{{ join_versions('dim_degree_point', 'e.degree_point_id', 'e.event_on') }}
{{ join_name('degree_point_event_type', 'e.event_type', 'event_type') }}
