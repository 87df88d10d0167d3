-- M13.1: colleges and centres that exist at the end of a calendar year; of the running year, on the run's date
with years as (
    select distinct calendar_year, least({{ make_date('calendar_year', 12, 31) }}, {{ as_of() }}) as last_on
    from {{ ref('dim_date') }}
    where calendar_year between 2016 and {{ this_year() }}
)

select
    y.calendar_year,
    u.org_unit_key,
    u.unit_code,
    u.inst_code,
    u.institution_key,
    u.unit_kind_code,
    u.is_entity
from years as y
inner join {{ ref('dim_org_unit') }} as u on u.valid_from <= y.last_on and (u.valid_to is null or u.valid_to > y.last_on)
