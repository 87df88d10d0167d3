-- M02.3: decided cases against supervisors beside the supervisors of an institution and calendar year. Sensitive: a year in which the
-- city has fewer cases than small_cell_minimum, and not none, has no row.
with cases as (
    select calendar_year, inst_code, sum(case_count) as case_count
    from {{ ref('fct_misconduct_year') }}
    where subject_kind_code = 'T'
    group by calendar_year, inst_code
),

supervisors as (
    select calendar_year, inst_code, count(*) as supervisor_count
    from {{ ref('fct_supervisor_year') }}
    group by calendar_year, inst_code
),

years as (
    select s.calendar_year
    from (select distinct calendar_year from supervisors) as s
    left join cases as c on c.calendar_year = s.calendar_year
    group by s.calendar_year
    having {{ large_enough('coalesce(sum(c.case_count), 0)') }} is not null
)

select
    y.calendar_year,
    coalesce(s.inst_code, c.inst_code) as inst_code,
    {{ key('coalesce(s.inst_code, c.inst_code)') }} as institution_key,
    cast(coalesce(c.case_count, 0) as integer) as case_count,
    cast(coalesce(s.supervisor_count, 0) as integer) as supervisor_count
from supervisors as s
full outer join cases as c on c.calendar_year = s.calendar_year and c.inst_code = s.inst_code
inner join years as y on y.calendar_year = coalesce(s.calendar_year, c.calendar_year)
