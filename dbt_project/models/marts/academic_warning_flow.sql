-- sensitive: counts only, of institutions and the city; a cell of one to four is not shown, nor what could be told from the others
with warned as (
    select
        academic_year, term_code, warning_level_code, reason_code,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        sum(warning_count) as warning_count,
        sum(closed_count) as closed_count,
        sum(due_count) as due_count,
        sum(closed_in_time_count) as closed_in_time_count
    from {{ ref('fct_academic_warning') }}
    group by grouping sets (
        (academic_year, term_code, warning_level_code, reason_code),
        (academic_year, term_code, warning_level_code, reason_code, inst_code)
    )
)

select
    w.academic_year,
    w.term_code,
    {{ label_zh('term.name_zh') }} as term_zh,
    {{ label_en('term.name_en') }} as term_en,
    y.end_on as period_end_on,
    {{ completeness('y.end_on') }},
    w.unit_code,
    nullif(w.unit_code, '{{ var("city_code") }}') as inst_code,
    coalesce(institution.inst_name, '全市') as unit_name_zh,
    coalesce(institution.inst_order, 0) as inst_order,
    w.warning_level_code,
    level.name_zh as warning_level_zh,
    level.name_en as warning_level_en,
    w.reason_code,
    reason.name_zh as reason_zh,
    reason.name_en as reason_en,
    {{ large_enough('w.warning_count') }} as warning_count,
    case when w.warning_count >= {{ var('small_cell_minimum') }} then {{ large_enough('w.closed_count') }} end as closed_count,
    case when w.warning_count >= {{ var('small_cell_minimum') }} then {{ large_enough('w.due_count') }} end as due_count,
    case when w.due_count >= {{ var('small_cell_minimum') }} then {{ large_enough('w.closed_in_time_count') }} end as closed_in_time_count,
    w.warning_count < {{ var('small_cell_minimum') }} as is_small_cell,
    {{ provenance_columns() }}
from warned as w
inner join {{ ref('dim_academic_year') }} as y on y.academic_year = w.academic_year
{{ join_institution_of('w.unit_code') }}
{{ join_name('term', 'w.term_code', 'term') }}
{{ join_name('warning_level', 'w.warning_level_code', 'level') }}
{{ join_name('warning_reason', 'w.reason_code', 'reason') }}
