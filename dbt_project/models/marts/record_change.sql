select
    c.as_of,
    c.as_of = max(c.as_of) over () as is_latest,
    c.src_inst_code as inst_code,
    case c.src_inst_code
        when '{{ var("commission_code") }}' then '市教委' else coalesce(max(institution.inst_name), c.src_inst_code)
    end as inst_name,
    case c.src_inst_code when '{{ var("commission_code") }}' then 0 else max(institution.inst_order) end as inst_order,
    c.entity as entity_code,
    coalesce(max(entity.name_zh), c.entity) as entity_zh,
    coalesce(max(entity.name_en), c.entity) as entity_en,
    k.cause_code,
    max(k.name_zh) as cause_zh,
    max(k.name_en) as cause_en,
    cast(sum(c.record_count) as bigint) as record_count,
    {{ provenance_columns() }}
from {{ source('changes', 'record_count') }} as c
inner join {{ ref('change_cause') }} as k on k.cause = c.cause
{{ join_institution_of('c.src_inst_code') }}
{{ join_name('entity', 'c.entity', 'entity') }}
where c.as_of <= {{ as_of() }}
group by c.as_of, c.src_inst_code, c.entity, k.cause_code
