with days as (
    {{ day_series("cast('1980-01-01' as date)", make_date(this_year() ~ ' + 10', 12, 31)) }}
),

parts as (
    select
        d.date_on,
        {{ year_of('d.date_on') }} as calendar_year,
        cast(extract(quarter from d.date_on) as integer) as quarter_number,
        cast(extract(month from d.date_on) as integer) as month_number,
        cast(extract(day from d.date_on) as integer) as day_number,
        cast(extract(isodow from d.date_on) as integer) as weekday_number
    from days as d
)

select
    p.date_on,
    p.calendar_year,
    p.quarter_number,
    p.month_number,
    p.day_number,
    p.weekday_number,
    '星期' || substr('一二三四五六日', p.weekday_number, 1) as weekday_name,
    p.weekday_number >= 6 as is_weekend,
    {{ academic_year('p.date_on') }} as academic_year,
    p.month_number = 9 and p.day_number = 30 as is_census_date,
    extract(day from {{ add_days('p.date_on', 1) }}) = 1 as is_month_end
from parts as p
