with honours as (
    select
        h.*,
        case h.holder_kind when 'S' then h.holder_id when 'X' then thesis.student_id end as student_id
    from {{ source('accepted', 'honour') }} as h
    left join {{ source('accepted', 'thesis') }} as thesis on h.holder_kind = 'X' and thesis.thesis_id = h.holder_id
)

select
    h.honour_id,
    coalesce({{ institution_of('h.student_id') }}, {{ present_institution('h.src_inst_code') }}) as inst_code,
    {{ key("coalesce(" ~ institution_of('h.student_id') ~ ", " ~ present_institution('h.src_inst_code') ~ ")") }} as institution_key,
    h.holder_kind,
    holder_kind.name_zh as holder_kind_name,
    h.holder_id,
    h.student_id,
    student_then.student_key,
    student_now.person_key,
    supervisor_then.supervisor_key,
    h.honour_code,
    honour.name_zh as honour_name,
    h.level_code,
    level.name_zh as level_name,
    h.granted_on,
    h.doc_no
from honours as h
{{ join_versions('dim_student', 'h.student_id', 'h.granted_on') }}
{{ join_version_then('dim_supervisor', "case when h.holder_kind = 'T' then h.holder_id end", 'h.granted_on') }}
{{ join_name('holder_kind', 'h.holder_kind', 'holder_kind') }}
{{ join_name('honour', 'h.honour_code', 'honour') }}
{{ join_name('award_level', 'h.level_code', 'level') }}
