-- What institutions did with their degree points in a year, and what of it came after a warning
with years as (
    select distinct calendar_year as adjustment_year
    from {{ ref('fct_degree_point_year') }}
    where calendar_year >= {{ var('monitor_first_year') }}
),

counted as (
    select
        calendar_year as adjustment_year,
        inst_code,
        count(*) filter (where is_in_force) as in_force,
        count(*) filter (where is_granted) as granted,
        count(*) filter (where is_withdrawn) as withdrawn,
        count(*) filter (where is_granted or is_withdrawn) as changed
    from {{ ref('fct_degree_point_year') }}
    group by calendar_year, inst_code
),

events as (
    select
        inst_code,
        {{ year_of('event_on') }} as adjustment_year,
        count(distinct degree_point_id) filter (where event_type = '11') as granted_by_review,
        count(distinct degree_point_id) filter (where event_type = '12') as added_by_adjustment,
        count(distinct degree_point_id) filter (where event_type = '13') as added_by_self_review,
        count(distinct degree_point_id) filter (where event_type = '21') as revoked,
        count(distinct degree_point_id) filter (where event_type = '41') as suspended
    from {{ ref('fct_degree_point_event') }}
    where event_on <= {{ as_of() }}
    group by inst_code, {{ year_of('event_on') }}
),

-- statistical warnings of the window that ends in each year; what a point decides in one of the two years after comes after it
warned as (
    select unit_code as degree_point_id, cast(period_code as integer) as warned_year
    from {{ source('estimates', 'rate_warning') }}
    where grain = 'degree_point'
        and pooled_years = 3
        and status_code in ('AMBER', 'RED')
        and variant_code in (select rated_variant from {{ ref('warning_component') }} where rule_code = 'W02')
),

after_warning as (
    select
        y.calendar_year as adjustment_year,
        y.inst_code,
        count(distinct y.degree_point_id) as warned,
        count(distinct y.degree_point_id) filter (where y.is_withdrawn) as withdrawn
    from {{ ref('fct_degree_point_year') }} as y
    inner join warned as w
        on w.degree_point_id = y.degree_point_id and y.calendar_year - w.warned_year between 1 and 2
    where y.is_in_force or y.is_withdrawn
    group by y.calendar_year, y.inst_code
)

select
    y.adjustment_year,
    {{ make_date('y.adjustment_year', 12, 31) }} as period_end_on,
    {{ completeness(make_date('y.adjustment_year', 12, 31)) }},
    i.inst_code,
    i.inst_name,
    i.inst_order,
    cast(coalesce(c.in_force, 0) as integer) as in_force_count,
    cast(coalesce(c.granted, 0) as integer) as new_count,
    cast(coalesce(e.granted_by_review, 0) as integer) as new_by_review_count,
    cast(coalesce(e.added_by_adjustment, 0) as integer) as new_by_adjustment_count,
    cast(coalesce(e.added_by_self_review, 0) as integer) as new_by_self_review_count,
    cast(coalesce(c.withdrawn, 0) as integer) as withdrawn_count,
    cast(coalesce(e.revoked, 0) as integer) as revoked_count,
    cast(coalesce(e.suspended, 0) as integer) as suspended_count,
    cast(c.changed as double precision) / nullif(c.in_force, 0) as turnover_share,
    cast(coalesce(w.warned, 0) as integer) as warned_count,
    cast(coalesce(w.withdrawn, 0) as integer) as withdrawn_after_warning_count,
    {{ provenance_columns() }}
from years as y
cross join (
    select inst_code, inst_name, cast(row_number() over (order by inst_code) as integer) as inst_order
    from {{ ref('dim_institution') }}
) as i
left join counted as c on c.adjustment_year = y.adjustment_year and c.inst_code = i.inst_code
left join events as e on e.adjustment_year = y.adjustment_year and e.inst_code = i.inst_code
left join after_warning as w on w.adjustment_year = y.adjustment_year and w.inst_code = i.inst_code
