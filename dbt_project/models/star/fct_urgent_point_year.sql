-- H01: points that were added in urgent fields since the plan began, in every calendar year at whose end they still stand
with grants as (
    select
        e.event_id, e.degree_point_id, e.inst_code, e.institution_key, e.event_type, e.event_on, e.degree_level, e.degree_type,
        e.discipline_code, e.is_joint_built,
        {{ days_between('l.published_on', 'e.event_on') }} as days_since_list
    from {{ ref('fct_degree_point_event') }} as e
    inner join {{ ref('dim_urgent_list') }} as l
        on l.urgent_list_id = e.urgent_list_id
        and l.discipline_code = e.discipline_code
        and l.degree_level = e.degree_level
        and l.category_code = '10'
        and e.event_on >= l.valid_from
        and (l.valid_to is null or e.event_on <= l.valid_to)
    where e.event_type in ('11', '12', '13')
        and e.event_on >= cast('{{ var("plan_start") }}' as date)
        and e.event_on <= {{ as_of() }}
),

revocations as (
    select degree_point_id, event_on
    from {{ ref('fct_degree_point_event') }}
    where event_type in ('21', '22') and event_on <= {{ as_of() }}
),

years as (
    select calendar_year, date_on as year_end_on
    from {{ ref('dim_date') }}
    where month_number = 12 and day_number = 31 and calendar_year <= {{ this_year() }}
)

select y.calendar_year, g.*, y.calendar_year = {{ year_of('g.event_on') }} as is_granted_in_year
from years as y
inner join grants as g on g.event_on <= y.year_end_on
where not exists (
    select 1
    from revocations as r
    where r.degree_point_id = g.degree_point_id and r.event_on > g.event_on and r.event_on <= y.year_end_on
)
