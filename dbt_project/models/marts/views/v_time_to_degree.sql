select
    cast({{ year_of('l.first_awarded_on') }} as integer) as award_year,
    {{ make_date(year_of('l.first_awarded_on'), 12, 31) }} as period_end_on,
    l.inst_code,
    max(institution.inst_name) as inst_name,
    max(institution.inst_order) as inst_order,
    l.degree_level,
    {{ label_zh('max(degree_level.name_zh)') }} as degree_level_zh,
    {{ code_or_none('l.degree_type') }} as degree_type,
    {{ label_zh('max(degree_type.name_zh)') }} as degree_type_zh,
    cast(count(*) as integer) as awarded_count,
    cast(sum(l.entry_to_award_days_count) as bigint) as days_to_degree_sum,
    cast(count(*) filter (where l.first_awarded_on > l.expected_end_on) as integer) as late_count,
    {{ provenance_columns() }}
from {{ ref('fct_student_lifecycle') }} as l
{{ join_institution('l') }}
{{ join_degree_names('l') }}
where {{ make_date(year_of('l.first_awarded_on'), 12, 31) }} <= {{ as_of() }}
group by 1, 2, l.inst_code, l.degree_level, l.degree_type
