with degrees as (
    select
        level.code || '-' || type.code as unit_code,
        type.name_zh || level.name_zh as name_zh,
        type.name_en || ' ' || lower(level.name_en) as name_en
    from {{ ref('code') }} as level
    cross join {{ ref('code') }} as type
    where level.code_set = 'degree_level' and type.code_set = 'degree_type'
),

-- what the students of one institution can be divided by
kinds as (
    select 'level_type' as grain, unit_code, name_zh, name_en from degrees
    union all
    select
        case when level_kind = 'category' then 'category' else 'discipline' end,
        discipline_code, discipline_name, discipline_name_en
    from {{ ref('dim_discipline') }}
    where discipline_code = counted_discipline_code
),

-- institutions have no English name
institutions as (
    select inst_code, coalesce(inst_name, inst_code) as inst_name from {{ ref('dim_institution') }}
)

select
    'city' as grain, code as unit_code, cast(null as text) as inst_code, name_zh as unit_name_zh, name_en as unit_name_en
from {{ ref('province') }}
where code = '{{ var("city_code") }}'

union all

select 'institution', inst_code, inst_code, inst_name, inst_name
from institutions

union all

select grain, unit_code, null, name_zh, name_en
from kinds

union all

select
    'institution_' || k.grain, i.inst_code || '-' || k.unit_code, i.inst_code,
    i.inst_name || ' ' || k.name_zh, i.inst_name || ' ' || k.name_en
from institutions as i
cross join kinds as k

union all

select
    'degree_point', p.degree_point_id, p.inst_code,
    coalesce(i.inst_name, p.inst_code) || ' ' || {{ label_zh('d.discipline_name') }} || ' ' || {{ label_zh('k.name_zh') }},
    coalesce(i.inst_name, p.inst_code) || ' ' || {{ label_en('d.discipline_name_en') }} || ', ' || {{ label_en('k.name_en') }}
from {{ ref('dim_degree_point') }} as p
left join institutions as i on i.inst_code = p.inst_code
left join {{ ref('dim_discipline') }} as d on d.discipline_code = p.discipline_code
left join degrees as k on k.unit_code = p.degree_level || '-' || p.degree_type
where p.is_current

union all

select 'cluster', c.cluster_code, null, coalesce(c.cluster_name, c.cluster_code), coalesce(seed.name_en, c.cluster_name, c.cluster_code)
from {{ ref('dim_cluster') }} as c
left join {{ ref('cluster') }} as seed on seed.code = c.cluster_code
