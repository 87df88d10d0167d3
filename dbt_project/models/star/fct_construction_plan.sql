select
    p.plan_item_id,
    {{ present_institution('p.inst_code') }} as inst_code,
    {{ key(present_institution('p.inst_code')) }} as institution_key,
    p.cycle_label,
    discipline.counted_discipline_code as discipline_code,
    p.discipline_code as reported_discipline_code,
    p.degree_level,
    p.degree_type,
    p.stage_code,
    stage.name_zh as stage_name,
    p.filed_on,
    {{ year_of('p.filed_on') }} as filed_year,
    p.doc_no,
    p.urgent_list_id
from {{ source('accepted', 'construction_plan') }} as p
left join {{ ref('dim_discipline') }} as discipline on discipline.discipline_code = p.discipline_code
{{ join_name('point_plan_stage', 'p.stage_code', 'stage') }}
