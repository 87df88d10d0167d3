select
    {{ key(institution_of('p.degree_point_id'), 'p.programme_id') }} as programme_key,
    p.programme_id,
    {{ institution_of('p.degree_point_id') }} as inst_code,
    {{ key(institution_of('p.degree_point_id')) }} as institution_key,
    p.degree_point_id,
    coalesce(programme_succession.discipline_code, reported.counted_discipline_code, degree_point.discipline_code) as discipline_code,
    p.unit_code,
    {{ key(institution_of('p.degree_point_id'), 'p.unit_code') }} as org_unit_key,
    p.programme_code,
    p.programme_name,
    p.plan_version,
    p.plan_effective_from as plan_effective_on,
    p.duration_years,
    p.min_credits,
    p.is_alternation,
    p.is_interdisciplinary,
    p.platform_id,
    p.licence_linked as is_licence_linked
from {{ source('accepted', 'programme') }} as p
left join {{ source('accepted', 'degree_point') }} as degree_point on degree_point.degree_point_id = p.degree_point_id
left join {{ ref('dim_discipline') }} as reported on reported.discipline_code = degree_point.discipline_code
{{ join_programme_succession('p.programme_code') }}
