with strength as (
    select b.discipline_code, max(b.strength) as strength
    from {{ ref('bridge_discipline_cluster') }} as b
    where b.is_valid and b.is_key_cluster
    group by b.discipline_code
)

select
    d.code as discipline_code,
    d.name_zh as discipline_name,
    d.name_en as discipline_name_en,
    d.level as level_kind,
    category.code as category_code,
    category.name_zh as category_name,
    case d.degree_type when 'academic' then '1' when 'professional' then '2' end as degree_type,
    coalesce(d.allowed_levels like '%doctor%', false) as is_doctor_allowed,
    coalesce(d.allowed_levels like '%master%', false) as is_master_allowed,
    scope.is_h02_excluded,
    scope.is_urgent,
    scope.reason_zh as scope_reason,
    coalesce(strength.strength, 0) as key_cluster_strength
from {{ ref('discipline') }} as d
inner join {{ ref('discipline') }} as category on category.code = substr(d.code, 1, 2)
inner join {{ ref('discipline_scope') }} as scope on scope.discipline_code = d.code
left join strength on strength.discipline_code = d.code
