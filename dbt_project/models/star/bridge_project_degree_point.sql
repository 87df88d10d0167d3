{{ config(follows={
    'key': 'project_id', 'rows': {'fct_commissioned_project': 'project_id'},
    'through': {
        'fct_supervisor_appointment': ['supervisor_id', 'fct_commissioned_project', 'pi_supervisor_id', 'project_id'],
        'dim_degree_point': ['org_unit_key', 'fct_commissioned_project', 'org_unit_key', 'project_id'],
    },
    'looks_up': {'dim_degree_point': 'degree_point_id'},
}) }}
-- How commissioned money (H10, H11) reaches degree points: in equal parts to those at which the responsible supervisor is appointed
-- as first supervisor on the day the contract was signed; without any, to all at which he ever was; without a supervisor or any
-- appointment, to the points in force of the project's unit. The parts of a project add up to 1, or it has no row.
with appointed as (
    select
        p.project_id,
        a.degree_point_id,
        bool_or(a.from_on <= p.signed_on and (a.to_on is null or a.to_on >= p.signed_on)) as is_then
    from {{ ref('fct_commissioned_project') }} as p
    inner join {{ ref('fct_supervisor_appointment') }} as a
        on a.supervisor_id = p.pi_supervisor_id and a.role_code = '10' and a.degree_point_id is not null
    where {{ touched('p.project_id') }}
    group by p.project_id, a.degree_point_id
),

reached as (
    select project_id, degree_point_id, 'THEN' as basis_code
    from appointed
    where is_then
    union all
    select project_id, degree_point_id, 'EVER'
    from appointed as a
    where not exists (select 1 from appointed as t where t.project_id = a.project_id and t.is_then)
    union all
    select p.project_id, d.degree_point_id, 'UNIT'
    from {{ ref('fct_commissioned_project') }} as p
    inner join {{ ref('dim_degree_point') }} as d
        on d.org_unit_key = p.org_unit_key and d.is_current and d.degree_level in ('1', '2') and d.status_code = '10'
    where
        {{ touched('p.project_id') }}
        and not exists (select 1 from appointed as a where a.project_id = p.project_id)
)

select
    r.project_id,
    r.degree_point_id,
    p.inst_code,
    p.institution_key,
    point.degree_point_key,
    point.discipline_code,
    r.basis_code,
    1.0 / count(*) over (partition by r.project_id) as weight_share
from reached as r
inner join {{ ref('fct_commissioned_project') }} as p on p.project_id = r.project_id
left join {{ ref('dim_degree_point') }} as point on point.degree_point_id = r.degree_point_id and point.is_current
