-- M19.1: every institution there was in every year in which a report was due, whether it came or not; its last version speaks
with due as (
    select i.inst_code, i.institution_key, d.calendar_year - 1 as report_year, d.calendar_year as due_year
    from {{ ref('dim_institution') }} as i
    cross join (
        select distinct calendar_year from {{ ref('dim_date') }}
        where calendar_year between 2023 and {{ this_year() }}
    ) as d
    where {{ is_institution_on(make_date('d.calendar_year', 3, 31)) }}
),

on_time as (
    select inst_code, report_year, bool_or(is_on_time) as is_on_time
    from {{ ref('fct_quality_report') }}
    group by inst_code, report_year
)

select
    due.inst_code,
    due.institution_key,
    due.report_year,
    due.due_year,
    q.report_id,
    coalesce(q.due_on, {{ make_date('due.due_year', 3, 31) }}) as due_on,
    coalesce(q.due_on, {{ make_date('due.due_year', 3, 31) }}) <= {{ as_of() }} as is_due,
    coalesce(q.submitted_on <= {{ as_of() }}, false) as is_submitted,
    coalesce(on_time.is_on_time, false) as is_on_time,
    coalesce(q.is_sampled, false) as is_sampled,
    q.sampling_result_code is not null as is_sampling_done,
    coalesce(q.sampling_result_code = '10', false) as is_passed,
    coalesce(q.submitted_on is not null and q.is_digest_equal, false) as is_digest_equal
from due
left join {{ ref('fct_quality_report') }} as q
    on q.inst_code = due.inst_code and q.report_year = due.report_year and q.is_last_version
left join on_time on on_time.inst_code = due.inst_code and on_time.report_year = due.report_year
