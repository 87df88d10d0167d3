-- M01.2: branches that stand at the end of a calendar year; of the running year, on the run's date
with years as (
    select distinct calendar_year, least({{ make_date('calendar_year', 12, 31) }}, {{ as_of() }}) as last_on
    from {{ ref('dim_date') }}
    where calendar_year between 2016 and {{ this_year() }}
)

select
    y.calendar_year,
    b.branch_id,
    b.inst_code,
    b.institution_key,
    b.basis_kind_code,
    b.supported_year is not null and b.supported_year <= y.calendar_year as is_supported
from years as y
inner join {{ ref('fct_party_branch') }} as b
    on b.established_on <= y.last_on and (b.closed_on is null or b.closed_on > y.last_on)
