-- Every code that a record may carry, by the edition that it is of; former codes say as what they are counted.
with strength as (
    select b.discipline_code, max(b.strength) as strength
    from {{ ref('bridge_discipline_cluster') }} as b
    where b.is_valid and b.is_key_cluster
    group by b.discipline_code
),

codes as (
    select
        d.code, d.name_zh, d.name_en, d.level, d.degree_type, d.allowed_levels, '{{ var("discipline_edition") }}' as edition,
        scope.is_h02_excluded, scope.is_urgent, scope.reason_zh
    from {{ ref('discipline') }} as d
    inner join {{ ref('discipline_scope') }} as scope on scope.discipline_code = d.code
    union all
    select
        code, name_zh, name_en, level, degree_type, allowed_levels, edition, is_h02_excluded, is_urgent, reason_zh
    from {{ ref('former_discipline') }}
),

-- a code that was split matches as its least matching successor does
succession as (
    select
        s.from_code,
        max(s.to_code) filter (where s.is_counted) as counted_code,
        min(coalesce(strength.strength, 0)) as strength
    from {{ ref('discipline_succession') }} as s
    left join strength on strength.discipline_code = s.to_code
    where s.to_edition = '{{ var("discipline_edition") }}' and s.relation <> 'reused'
    group by s.from_code
)

select
    d.code as discipline_code,
    d.name_zh as discipline_name,
    d.name_en as discipline_name_en,
    d.edition,
    coalesce(succession.counted_code, d.code) as counted_discipline_code,
    d.level as level_kind,
    category.code as category_code,
    category.name_zh as category_name,
    case d.degree_type when 'academic' then '1' when 'professional' then '2' end as degree_type,
    coalesce(d.allowed_levels like '%doctor%', false) as is_doctor_allowed,
    coalesce(d.allowed_levels like '%master%', false) as is_master_allowed,
    d.is_h02_excluded,
    d.is_urgent,
    d.reason_zh as scope_reason,
    coalesce(strength.strength, succession.strength, 0) as key_cluster_strength
from codes as d
inner join {{ ref('discipline') }} as category on category.code = substr(d.code, 1, 2)
left join strength on strength.discipline_code = d.code
left join succession on succession.from_code = d.code
