-- A history is estimated at one row, and a nested loop over what is estimated so takes fourteen times as long.
{{ config(pre_hook="set local enable_nestloop = off") }}
with history as (
    {{ history('degree_point', 'degree_point_id', [
        'inst_code', 'unit_code', 'degree_level', 'degree_type', 'discipline_code', 'authorised_on', 'authorised_doc_no',
        'status_code', 'is_joint_built', 'joint_partner_uscc', 'is_self_set',
    ]) }}
)

select
    {{ key(institution_of('h.degree_point_id'), ['h.degree_point_id', 'h.valid_from']) }} as degree_point_key,
    h.degree_point_id,
    {{ institution_of('h.degree_point_id') }} as inst_code,
    {{ key(institution_of('h.degree_point_id')) }} as institution_key,
    h.unit_code,
    {{ key('h.inst_code', 'h.unit_code') }} as org_unit_key,
    h.degree_level,
    degree_level.name_zh as degree_level_name,
    h.degree_type,
    degree_type.name_zh as degree_type_name,
    coalesce(reported.counted_discipline_code, h.discipline_code) as discipline_code,
    discipline.discipline_name,
    h.discipline_code as reported_discipline_code,
    h.authorised_on,
    h.authorised_doc_no,
    h.status_code,
    status.name_zh as status_name,
    h.is_joint_built,
    h.is_self_set,
    {{ item_count('h.joint_partner_uscc') }} as partner_count,
    h.version_number,
    h.valid_from,
    h.valid_to,
    h.is_current
from history as h
{{ join_name('degree_level', 'h.degree_level', 'degree_level') }}
{{ join_name('degree_type', 'h.degree_type', 'degree_type') }}
{{ join_name('degree_point_status', 'h.status_code', 'status') }}
left join {{ ref('dim_discipline') }} as reported on reported.discipline_code = h.discipline_code
left join {{ ref('dim_discipline') }} as discipline on discipline.discipline_code = reported.counted_discipline_code
