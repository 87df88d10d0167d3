select
    a.achievement_id,
    a.canonical_id,
    {{ present_institution('a.src_inst_code') }} as inst_code,
    {{ key(present_institution('a.src_inst_code')) }} as institution_key,
    a.lead_inst_code,
    a.lead_inst_code is not distinct from a.src_inst_code as is_lead,
    a.kind_code,
    kind.name_zh as kind_name,
    a.level_code,
    level.name_zh as level_name,
    a.granted_on,
    a.doc_no,
    a.share as credit_share,
    a.graduate_education_related as is_graduate_education_related
from {{ source('accepted', 'achievement') }} as a
{{ join_name('achievement_kind', 'a.kind_code', 'kind') }}
{{ join_name('award_level', 'a.level_code', 'level') }}
