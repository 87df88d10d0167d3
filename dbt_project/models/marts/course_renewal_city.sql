-- the city's renewal beside the two requirements of the plan: all core courses in five years (M06.1), 30 % in three (R5)
with counted as (
    select
        academic_year,
        {% for years in [1, 3, 5] -%}
        count(*) filter (where is_core_{{ years }}y) as core_{{ years }}y,
        count(*) filter (where is_renewed_{{ years }}y) as renewed_{{ years }}y,
        {% endfor -%}
        count(*) filter (where is_core_1y and is_dropped) as dropped,
        count(*) filter (where is_core_1y and not is_dropped and renewal_due_on <= {{ as_of() }}) as overdue
    from {{ ref('fct_core_course_year') }}
    group by academic_year
),

reform as (
    select quantity_count / 100 as share, quantity_path / 100 as path, quantity_min / 100 as target, quantity_status_code, quantity_status_zh, quantity_due_on
    from {{ ref('list_progress') }}
    where list_item_code = 'R5' and is_plan_in_force and quantity_from_on is not null
)

select
    c.academic_year,
    y.end_on as period_end_on,
    {{ completeness('y.end_on') }},
    cast(c.core_1y as integer) as core_course_count,
    cast(c.renewed_1y as integer) as renewed_count,
    {% for years in [3, 5] -%}
    cast(c.core_{{ years }}y as integer) as core_course_{{ years }}y_count,
    cast(c.renewed_{{ years }}y as integer) as renewed_{{ years }}y_count,
    cast(c.renewed_{{ years }}y as double precision) / nullif(c.core_{{ years }}y, 0) as renewed_{{ years }}y_share,
    {% endfor -%}
    cast(c.dropped as integer) as dropped_count,
    cast(c.overdue as integer) as overdue_count,
    v.target_value as five_year_target_value,
    v.path_value as five_year_path_value,
    v.status_code as five_year_status_code,
    v.status_zh as five_year_status_zh,
    reform.share as reform_share,
    reform.target as reform_target_value,
    reform.path as reform_path_value,
    coalesce(reform.quantity_status_code, '-') as reform_status_code,
    coalesce(reform.quantity_status_zh, '不适用') as reform_status_zh,
    {{ provenance_columns() }}
from counted as c
inner join {{ ref('dim_academic_year') }} as y on y.academic_year = c.academic_year
-- the indicator of academic years for which the plan names levels by year
left join {{ ref('indicator_value') }} as v
    on v.variant_code in (select m.series_code from {{ ref('milestone') }} as m where m.doc_version = '{{ var("plan_doc_version") }}')
    and v.is_official
    and v.grain = 'city'
    and v.period_code = c.academic_year
left join reform on reform.quantity_due_on >= y.start_on and y.start_on <= {{ as_of() }} and y.end_on >= {{ as_of() }}
