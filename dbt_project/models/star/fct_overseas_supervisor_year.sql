-- M17.2: overseas supervisors in post, from the year of their first appointment on
with years as (
    select distinct calendar_year, least({{ make_date('calendar_year', 12, 31) }}, {{ as_of() }}) as last_on
    from {{ ref('dim_date') }}
    where calendar_year between 2016 and {{ this_year() }}
)

select
    y.calendar_year,
    s.supervisor_id,
    s.person_key,
    {{ institution_of('s.supervisor_id') }} as inst_code,
    {{ key(institution_of('s.supervisor_id')) }} as institution_key,
    s.supervisor_key
from years as y
inner join {{ ref('dim_supervisor') }} as s
    on s.is_current and s.supervisor_kind = '4' and s.status_code <> '90' and s.first_appointed_on <= y.last_on
