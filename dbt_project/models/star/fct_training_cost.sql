-- M20.4: what a degree point took in and cost in a fiscal year, and whom it trained: students at the census of 30 September, part-time ones in part
with spent as (
    select degree_point_id, fiscal_year, sum(amount_cny) as training_spending_cny
    from {{ ref('fct_fund_ledger') }}
    where direction_code = 'OUT' and purpose_code = '10' and degree_point_id is not null
    group by degree_point_id, fiscal_year
),

students as (
    select
        degree_point_id,
        census_year as fiscal_year,
        count(*) as student_count,
        sum(case when study_mode = '2' then {{ var('part_time_fte') }} else 1 end) as student_fte
    from {{ ref('fct_enrolment_census') }}
    group by degree_point_id, census_year
),

points as (
    select degree_point_id, fiscal_year from {{ source('accepted', 'resource_input') }}
    union
    select degree_point_id, fiscal_year from spent
)

select
    p.degree_point_id,
    p.fiscal_year,
    degree_point.inst_code,
    degree_point.institution_key,
    degree_point.degree_point_key,
    degree_point.degree_level,
    degree_point.degree_type,
    degree_point.discipline_code,
    i.staff_fte,
    i.supervisor_fte,
    i.equipment_value as equipment_value_cny,
    i.space_m2,
    i.cost_method_doc_no,
    cast(coalesce(students.student_count, 0) as integer) as student_count,
    cast(coalesce(students.student_fte, 0) as numeric(12,2)) as student_fte,
    cast(coalesce(spent.training_spending_cny, 0) as numeric(16,2)) as training_spending_cny,
    coalesce(spent.training_spending_cny > 0, false) as is_costed,
    coalesce(spent.training_spending_cny > 0, false) and i.cost_method_doc_no is not null as is_documented
from points as p
inner join {{ ref('dim_degree_point') }} as degree_point
    on degree_point.degree_point_id = p.degree_point_id and degree_point.is_current
left join {{ source('accepted', 'resource_input') }} as i on i.degree_point_id = p.degree_point_id and i.fiscal_year = p.fiscal_year
left join spent on spent.degree_point_id = p.degree_point_id and spent.fiscal_year = p.fiscal_year
left join students on students.degree_point_id = p.degree_point_id and students.fiscal_year = p.fiscal_year
