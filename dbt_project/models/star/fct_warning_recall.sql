-- M18.2: of those who were delayed or dropped out, how many had been warned before; counts only, never below an institution
select
    e.inst_code,
    e.institution_key,
    e.academic_year,
    e.event_type,
    e.event_type_name,
    cast(count(*) as integer) as event_count,
    cast(count(*) filter (
        where exists (
            select 1
            from {{ source('accepted', 'academic_warning') }} as w
            where w.student_id = e.student_id and w.issued_on < e.event_on
        )
    ) as integer) as warned_count
from {{ ref('fct_student_status_event') }} as e
where e.event_type in ('06', '31') and e.event_on >= {{ make_date(2021, 9, 1) }} and e.event_on <= {{ as_of() }}
group by 1, 2, 3, 4, 5
