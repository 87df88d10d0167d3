select
    d.academic_year,
    d.calendar_year as start_year,
    d.date_on as start_on,
    {{ make_date('d.calendar_year + 1', 8, 31) }} as end_on,
    {{ make_date('d.calendar_year', 9, 30) }} as census_on,
    d.academic_year || '学年' as label_zh,
    {{ make_date('d.calendar_year + 1', 8, 31) }} <= {{ as_of() }} as is_complete
from {{ ref('dim_date') }} as d
where d.month_number = 9 and d.day_number = 1 and d.date_on <= {{ as_of() }}
