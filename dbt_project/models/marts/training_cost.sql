with points as (
    select *, case when is_documented and student_count >= {{ var('small_cell_minimum') }} then training_spending_cny / student_fte end as point_cost_cny
    from {{ ref('fct_training_cost') }}
    where fiscal_year between 2022 and {{ this_year() }} and degree_level is not null and discipline_code is not null
),

counted as (
    select
        fiscal_year,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        degree_level,
        degree_type,
        discipline_code,
        count(*) as point_count,
        count(*) filter (where is_costed) as costed_point_count,
        count(*) filter (where is_documented) as documented_point_count,
        sum(student_count) as student_count,
        sum(student_fte) as student_fte,
        sum(staff_fte) as staff_fte,
        sum(training_spending_cny) as training_spending_cny,
        coalesce(sum(student_count) filter (where is_documented), 0) as costed_student_count,
        sum(training_spending_cny) filter (where is_documented and student_fte > 0)
            / nullif(sum(student_fte) filter (where is_documented), 0) as cost_per_student_cny,
        percentile_cont(0.1) within group (order by point_cost_cny) as cost_p10_cny,
        percentile_cont(0.5) within group (order by point_cost_cny) as cost_median_cny,
        percentile_cont(0.9) within group (order by point_cost_cny) as cost_p90_cny
    from points
    group by grouping sets (
        (fiscal_year, degree_level, degree_type, discipline_code),
        (fiscal_year, degree_level, degree_type, discipline_code, inst_code)
    )
),

stated as (
    select
        *,
        {{ make_date('fiscal_year', 12, 31) }} as period_end_on,
        case
            when documented_point_count > 0 then 'DOCUMENTED'
            when costed_point_count > 0 then 'UNDOCUMENTED'
            else 'NOT-COSTED'
        end as costing_state_code
    from counted
)

select
    c.fiscal_year,
    c.period_end_on,
    {{ completeness('c.period_end_on') }},
    c.unit_code,
    nullif(c.unit_code, '{{ var("city_code") }}') as inst_code,
    coalesce(institution.inst_name, '全市') as unit_name_zh,
    coalesce(institution.inst_order, 0) as inst_order,
    {{ degree_columns('c') }},
    c.discipline_code,
    {{ label_zh('discipline.discipline_name') }} as discipline_zh,
    {{ label_en('discipline.discipline_name_en') }} as discipline_en,
    cast(c.point_count as integer) as point_count,
    cast(c.costed_point_count as integer) as costed_point_count,
    cast(c.documented_point_count as integer) as documented_point_count,
    cast(c.student_count as integer) as student_count,
    cast(c.student_fte as double precision) as student_fte,
    cast(c.staff_fte as double precision) as staff_fte,
    cast(case when c.student_count >= {{ var('small_cell_minimum') }} then c.training_spending_cny end as double precision) as training_spending_cny,
    cast(case when c.costed_student_count >= {{ var('small_cell_minimum') }} then c.cost_per_student_cny end as double precision) as cost_per_student_cny,
    c.cost_p10_cny,
    c.cost_median_cny,
    c.cost_p90_cny,
    c.cost_p90_cny / nullif(c.cost_p10_cny, 0) as cost_spread,
    c.costed_student_count > 0 and c.costed_student_count < {{ var('small_cell_minimum') }} as is_small_cell,
    c.costing_state_code,
    state.name_zh as costing_state_zh,
    state.name_en as costing_state_en,
    {{ provenance_columns() }}
from stated as c
{{ join_institution_of('c.unit_code') }}
{{ join_degree_names('c') }}
{{ join_name('costing_state', 'c.costing_state_code', 'state') }}
left join {{ ref('dim_discipline') }} as discipline on discipline.discipline_code = c.discipline_code
