-- M18.1, M18.2: every institution, capability and year; what nobody reported is not enabled
with asked as (
    select i.inst_code, i.institution_key, c.code as capability_code, c.name_zh as capability_name, d.calendar_year as report_year
    from {{ ref('dim_institution') }} as i
    cross join {{ ref('code') }} as c
    cross join (
        select distinct calendar_year from {{ ref('dim_date') }}
        where calendar_year between 2023 and {{ this_year() }}
    ) as d
    where c.code_set = 'digital_capability' and {{ is_institution_on('least(' ~ make_date('d.calendar_year', 12, 31) ~ ', ' ~ as_of() ~ ')') }}
)

select
    a.inst_code,
    a.institution_key,
    a.capability_code,
    a.capability_name,
    a.report_year,
    r.inst_code is not null as is_reported,
    coalesce(r.enabled, false) as is_enabled,
    r.active_users as active_user_count,
    r.coverage_students as covered_student_count
from asked as a
left join {{ source('accepted', 'digital_capability') }} as r
    on r.inst_code = a.inst_code and r.capability_code = a.capability_code and r.report_year = a.report_year
