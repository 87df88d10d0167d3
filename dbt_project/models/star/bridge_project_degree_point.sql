-- How commissioned money (H10, H11) reaches degree points: by the points of the students whom the responsible supervisor guides as
-- first supervisor on the day the contract was signed; without any, of all whom he ever guided; without a supervisor or any
-- student, in equal parts to the points of the project's unit. The parts of a project add up to 1, or it has no row.
with guided as (
    select
        p.project_id,
        s.degree_point_id,
        r.from_on <= p.signed_on and (r.to_on is null or r.to_on >= p.signed_on) as is_then,
        r.student_id
    from {{ ref('fct_commissioned_project') }} as p
    inner join {{ ref('bridge_student_supervisor') }} as r on r.supervisor_id = p.pi_supervisor_id and r.role_code = '10'
    inner join {{ ref('dim_student') }} as s on s.student_key = r.student_key
    where s.degree_point_id is not null
),

by_supervisor as (
    select
        project_id,
        degree_point_id,
        count(distinct student_id) filter (where is_then) as then_count,
        count(distinct student_id) as ever_count
    from guided
    group by project_id, degree_point_id
),

shares as (
    select
        project_id,
        degree_point_id,
        case when sum(then_count) over (partition by project_id) > 0 then 'THEN' else 'EVER' end as basis_code,
        case
            when sum(then_count) over (partition by project_id) > 0
                then cast(then_count as double precision) / sum(then_count) over (partition by project_id)
            else cast(ever_count as double precision) / sum(ever_count) over (partition by project_id)
        end as weight_share
    from by_supervisor
    union all
    select
        p.project_id,
        d.degree_point_id,
        'UNIT',
        cast(1 as double precision) / count(*) over (partition by p.project_id)
    from {{ ref('fct_commissioned_project') }} as p
    inner join {{ ref('dim_degree_point') }} as d
        on d.org_unit_key = p.org_unit_key and d.is_current and d.degree_level in ('1', '2') and d.status_code = '10'
    where not exists (select 1 from by_supervisor as b where b.project_id = p.project_id)
)

select
    s.project_id,
    s.degree_point_id,
    p.inst_code,
    p.institution_key,
    point.degree_point_key,
    point.discipline_code,
    s.basis_code,
    s.weight_share
from shares as s
inner join {{ ref('fct_commissioned_project') }} as p on p.project_id = s.project_id
left join {{ ref('dim_degree_point') }} as point on point.degree_point_id = s.degree_point_id and point.is_current
where s.weight_share > 0
