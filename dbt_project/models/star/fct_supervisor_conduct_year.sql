-- M02.3: the city's decided cases against supervisors and its supervisors of a calendar year. Sensitive: a year with fewer cases than
-- small_cell_minimum, and not none, has no row.
with cases as (
    select calendar_year, sum(case_count) as case_count
    from {{ ref('fct_misconduct_year') }}
    where subject_kind_code = 'T'
    group by calendar_year
)

select
    s.calendar_year,
    cast(coalesce(c.case_count, 0) as integer) as case_count,
    cast(s.supervisor_count as integer) as supervisor_count
from (
    select calendar_year, count(*) as supervisor_count from {{ ref('fct_supervisor_year') }} group by calendar_year
) as s
left join cases as c on c.calendar_year = s.calendar_year
where {{ large_enough('coalesce(c.case_count, 0)') }} is not null
