-- M18.2: of those who were delayed or dropped out, how many had been warned before; counts only, never below an institution
with warned as (
    select student_id, min(issued_on) as first_on
    from {{ source('accepted', 'academic_warning') }}
    group by student_id
)

select
    e.inst_code,
    e.institution_key,
    e.academic_year,
    e.event_type,
    e.event_type_name,
    cast(count(*) as integer) as event_count,
    cast(count(*) filter (where w.first_on < e.event_on) as integer) as warned_count
from {{ ref('fct_student_status_event') }} as e
left join warned as w on w.student_id = e.student_id
where e.event_type in ('06', '31') and e.event_on >= {{ make_date(2021, 9, 1) }} and e.event_on <= {{ as_of() }}
group by 1, 2, 3, 4, 5
