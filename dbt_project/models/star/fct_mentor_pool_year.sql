-- M07.2: stock and flow of the mentor pool, an entry in every calendar year in which it stands or has left
with years as (
    select distinct calendar_year, least({{ make_date('calendar_year', 12, 31) }}, {{ as_of() }}) as last_on
    from {{ ref('dim_date') }}
    where calendar_year between 2024 and {{ this_year() }}
)

select
    y.calendar_year,
    e.pool_entry_id,
    e.person_key,
    e.inst_code,
    e.institution_key,
    e.entry_kind,
    e.exited_on is null or e.exited_on > y.last_on as is_in_stock,
    {{ year_of('e.entered_on') }} = y.calendar_year as is_entered,
    coalesce({{ year_of('e.exited_on') }} = y.calendar_year and e.exited_on <= y.last_on, false) as is_exited,
    coalesce({{ year_of('e.first_appointed_on') }} = y.calendar_year, false) as is_first_appointed,
    e.institution_count > 1 as is_shared
from years as y
inner join {{ ref('fct_mentor_pool_entry') }} as e
    on e.entered_on <= y.last_on and (e.exited_on is null or {{ year_of('e.exited_on') }} >= y.calendar_year)
