-- M18.1: what came of the entities that were due from an institution's platform at each day's collection; a platform that was down delivered nothing
with collected as (
    select r.as_of, c.src_inst_code, c.entity, bool_or(c.outcome <> 'failed') as is_delivered
    from {{ source('ops', 'collection_result') }} as c
    inner join {{ source('ops', 'run') }} as r on r.run_id = c.run_id
    where r.kind = 'collect' and r.as_of <= {{ as_of() }}
    group by r.as_of, c.src_inst_code, c.entity
)

select
    i.inst_code,
    i.institution_key,
    c.as_of as collected_on,
    {{ year_of('c.as_of') }} as calendar_year,
    cast(count(*) filter (where c.entity <> '') as integer) as due_count,
    cast(count(*) filter (where c.entity <> '' and c.is_delivered) as integer) as delivered_count,
    bool_and(c.is_delivered) as is_whole
from collected as c
inner join {{ ref('dim_institution') }} as i on i.inst_code = c.src_inst_code
group by i.inst_code, i.institution_key, c.as_of
