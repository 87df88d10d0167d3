-- M17.2: programmes with foreign partners that are valid at the end of a calendar year; of the running year, on the run's date
with years as (
    select distinct calendar_year, least({{ make_date('calendar_year', 12, 31) }}, {{ as_of() }}) as last_on
    from {{ ref('dim_date') }}
    where calendar_year between 2016 and {{ this_year() }}
)

select
    y.calendar_year,
    p.approval_id,
    p.inst_code,
    p.institution_key,
    p.degree_level,
    p.country_code
from years as y
inner join {{ ref('fct_sino_foreign_programme') }} as p
    on p.approved_on <= y.last_on and (p.valid_to_on is null or p.valid_to_on >= y.last_on)
