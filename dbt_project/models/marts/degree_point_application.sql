with planned as (
    select
        cycle_label,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        count(*) as plan_item_count,
        count(*) filter (where urgent_list_id is not null) as urgent_plan_item_count
    from {{ ref('fct_construction_plan') }}
    where filed_on <= {{ as_of() }}
    group by grouping sets ((cycle_label), (cycle_label, inst_code))
),

applied as (
    select
        cycle_label,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        count(*) as application_count,
        count(*) filter (where is_planned_before) as planned_before_count,
        count(*) filter (where plan_item_id is null) as unplanned_count,
        count(*) filter (where is_granted) as granted_count,
        count(*) filter (where result_code is null) as pending_count
    from {{ ref('fct_degree_point_application') }}
    group by grouping sets ((cycle_label), (cycle_label, inst_code))
),

units as (
    select cycle_label, unit_code from planned
    union
    select cycle_label, unit_code from applied
),

cycles as (
    select *, {{ make_date('cast(substr(cycle_label, 6, 4) as integer)', 12, 31) }} as end_on
    from units
)

select
    u.cycle_label,
    u.end_on as period_end_on,
    {{ completeness('u.end_on') }},
    u.unit_code,
    nullif(u.unit_code, '{{ var("city_code") }}') as inst_code,
    coalesce(institution.inst_name, '全市') as unit_name_zh,
    coalesce(institution.inst_order, 0) as inst_order,
    cast(coalesce(p.plan_item_count, 0) as integer) as plan_item_count,
    cast(coalesce(p.urgent_plan_item_count, 0) as integer) as urgent_plan_item_count,
    cast(coalesce(a.application_count, 0) as integer) as application_count,
    cast(coalesce(a.planned_before_count, 0) as integer) as planned_before_count,
    cast(coalesce(a.unplanned_count, 0) as integer) as unplanned_count,
    cast(coalesce(a.granted_count, 0) as integer) as granted_count,
    cast(coalesce(a.pending_count, 0) as integer) as pending_count,
    cast(a.planned_before_count as double precision) / nullif(a.application_count, 0) as planned_before_share,
    {{ provenance_columns() }}
from cycles as u
left join planned as p on p.cycle_label = u.cycle_label and p.unit_code = u.unit_code
left join applied as a on a.cycle_label = u.cycle_label and a.unit_code = u.unit_code
{{ join_institution_of('u.unit_code') }}
