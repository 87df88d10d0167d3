-- sensitive: counts only, of institutions and the city; a cell of one to four is not shown
with recalled as (
    select
        academic_year, event_type,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        sum(event_count) as event_count,
        sum(warned_count) as warned_count
    from {{ ref('fct_warning_recall') }}
    group by grouping sets ((academic_year, event_type), (academic_year, event_type, inst_code))
)

select
    r.academic_year,
    y.end_on as period_end_on,
    {{ completeness('y.end_on') }},
    r.unit_code,
    nullif(r.unit_code, '{{ var("city_code") }}') as inst_code,
    coalesce(institution.inst_name, '全市') as unit_name_zh,
    coalesce(institution.inst_order, 0) as inst_order,
    r.event_type as event_type_code,
    event_type.name_zh as event_type_zh,
    event_type.name_en as event_type_en,
    {{ large_enough('r.event_count') }} as event_count,
    case when r.event_count >= {{ var('small_cell_minimum') }} then {{ large_enough('r.warned_count') }} end as warned_count,
    case
        when r.event_count >= {{ var('small_cell_minimum') }} and (r.warned_count = 0 or r.warned_count >= {{ var('small_cell_minimum') }})
            then cast(r.warned_count as double precision) / r.event_count
    end as recall_share,
    r.event_count < {{ var('small_cell_minimum') }} as is_small_cell,
    {{ provenance_columns() }}
from recalled as r
inner join {{ ref('dim_academic_year') }} as y on y.academic_year = r.academic_year
{{ join_institution_of('r.unit_code') }}
{{ join_name('student_status_event_type', 'r.event_type', 'event_type') }}
