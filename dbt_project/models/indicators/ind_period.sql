with years as (
    select distinct calendar_year as start_year
    from {{ ref('dim_date') }}
    where calendar_year between (select min(first_year) from {{ ref('indicator') }}) and {{ this_year() }}
),

periods as (
    select
        b.period_basis,
        y.start_year,
        y.start_year + b.end_year_offset as period_year,
        {{ make_date('y.start_year', 'b.start_month', 'b.start_day') }} as start_on,
        {{ make_date('y.start_year + b.end_year_offset', 'b.end_month', 'b.end_day') }} as end_on
    from {{ ref('period_basis') }} as b
    cross join years as y
)

select
    period_basis,
    case
        when period_year = start_year then {{ year_code('start_year') }}
        else {{ year_code('start_year') }} || '-' || {{ year_code('period_year') }}
    end as period_code,
    start_year,
    period_year,
    start_on,
    end_on,
    end_on <= {{ as_of() }} as is_complete
from periods
where start_on <= {{ as_of() }}
