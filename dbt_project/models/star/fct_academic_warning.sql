-- Counts only, never below an institution: a warning is sensitive, and the star is read by analysts.
select
    {{ institution_of('w.student_id') }} as inst_code,
    {{ key(institution_of('w.student_id')) }} as institution_key,
    {{ academic_year('w.issued_on') }} as academic_year,
    case when extract(month from w.issued_on) between 2 and 8 then '2' else '1' end as term_code,
    w.warning_level as warning_level_code,
    w.reason_code,
    cast(count(*) as integer) as warning_count,
    cast(count(*) filter (where w.closed_on <= {{ as_of() }}) as integer) as closed_count,
    cast(count(*) filter (where {{ days_between('w.issued_on', as_of()) }} >= {{ var('warning_days') }}) as integer) as due_count,
    cast(count(*) filter (
        where {{ days_between('w.issued_on', as_of()) }} >= {{ var('warning_days') }}
            and {{ days_between('w.issued_on', 'w.closed_on') }} <= {{ var('warning_days') }}
    ) as integer) as closed_in_time_count
from {{ source('accepted', 'academic_warning') }} as w
where w.issued_on <= {{ as_of() }}
group by 1, 2, 3, 4, 5, 6
