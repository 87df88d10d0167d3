-- what is measured of an item beyond its date and quantity: of what counts towards it, or of all things of a source (seed list_measure_definition)
with attributes as (
    select source_entity_code, source_id, attribute_code, cycle_year, inst_code, is_true from {{ ref('fct_list_attribute') }}

    union all

    -- a degree point has all scores when each dimension that its discipline is judged by has one
    select
        'degree_point', degree_point_id, 'ALL-SCORES', monitor_year, inst_code,
        fit_state_code in ('SCORED', 'EXCLUDED') and contribution_state_code = 'SCORED' and distinctiveness_state_code = 'SCORED'
    from {{ ref('degree_point_monitor') }}
),

asked as (
    select
        m.item_code,
        m.doc_version,
        m.measure_code,
        a.source_entity_code,
        a.source_id,
        case when m.of_counted then coalesce(c.cycle_year, {{ year_of('c.counted_on') }}) else a.cycle_year end as cycle_year,
        a.inst_code,
        a.is_true
    from {{ ref('list_measure_definition') }} as m
    inner join attributes as a
        on a.source_entity_code = m.source_entity and a.attribute_code = m.attribute_code
    left join {{ ref('fct_list_count') }} as c
        on m.of_counted
        and c.list_item_id = m.item_code and c.doc_version = m.doc_version
        and c.source_entity_code = a.source_entity_code and c.source_id = a.source_id and c.counted_on <= {{ as_of() }}
    where not m.of_counted or c.source_id is not null
),

counted as (
    select
        item_code, doc_version, measure_code, cycle_year,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        count(distinct source_id) as thing_count,
        count(distinct source_id) filter (where is_true) as true_count
    from asked
    where cycle_year between 2023 and {{ this_year() }}
    group by grouping sets ((item_code, doc_version, measure_code, cycle_year), (item_code, doc_version, measure_code, cycle_year, inst_code))
    having grouping(inst_code) = 1 or inst_code is not null
)

select
    c.item_code as list_item_code,
    i.item_name as list_item_zh,
    item.name_en as list_item_en,
    c.doc_version,
    c.doc_version = '{{ var("plan_doc_version") }}' as is_plan_in_force,
    c.measure_code,
    m.name_zh as measure_zh,
    m.name_en as measure_en,
    cast(c.cycle_year as text) as cycle_code,
    {{ make_date('c.cycle_year', 12, 31) }} as cycle_end_on,
    c.unit_code,
    nullif(c.unit_code, '{{ var("city_code") }}') as inst_code,
    coalesce(institution.inst_name, '全市') as unit_name_zh,
    coalesce(institution.inst_order, 0) as inst_order,
    cast(c.thing_count as integer) as thing_count,
    cast(c.true_count as integer) as true_count,
    cast(c.true_count as double precision) / nullif(c.thing_count, 0) as share,
    cast(m.target_share as double precision) as target_share,
    coalesce(m.is_proposed, false) as target_is_proposed,
    state.code as measure_state_code,
    state.name_zh as measure_state_zh,
    state.name_en as measure_state_en,
    {{ provenance_columns() }}
from counted as c
inner join {{ ref('list_measure_definition') }} as m
    on m.item_code = c.item_code and m.doc_version = c.doc_version and m.measure_code = c.measure_code
inner join {{ ref('dim_list_item') }} as i on i.list_item_id = c.item_code and i.doc_version = c.doc_version
inner join {{ ref('action_item') }} as item on item.item_code = c.item_code and item.doc_version = c.doc_version
inner join {{ ref('code') }} as state
    on state.code_set = 'list_measure_state'
    and state.code = case
        when m.target_share is null then 'NO-TARGET'
        when c.true_count >= m.target_share * c.thing_count then 'MET'
        else 'UNDER'
    end
{{ join_institution_of('c.unit_code') }}
