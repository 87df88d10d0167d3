{{ config(follows={
    'key': 'supervisor_id',
    'rows': {
        'bridge_student_supervisor': 'supervisor_id', 'fct_supervisor_event': 'supervisor_id', 'dim_supervisor': 'supervisor_id',
    },
    'days': {'bridge_student_supervisor': ['from_on'], 'fct_supervisor_event': ['event_on']},
}) }}
-- M02.2, M07.3: who guided students in a calendar year (in any role, on any day), and whether they were assessed and trained
with years as (
    select distinct
        calendar_year,
        {{ make_date('calendar_year', 1, 1) }} as first_on,
        least({{ make_date('calendar_year', 12, 31) }}, {{ as_of() }}) as last_on
    from {{ ref('dim_date') }}
    where calendar_year between 2022 and {{ this_year() }}
),

guiding as (
    select distinct y.calendar_year, r.supervisor_id
    from years as y
    inner join {{ ref('bridge_student_supervisor') }} as r
        on r.from_on <= y.last_on and (r.to_on is null or r.to_on >= y.first_on)
    where {{ touched('r.supervisor_id') }}
),

events as (
    select
        y.calendar_year,
        e.supervisor_id,
        bool_or(e.event_year = y.calendar_year and e.event_type = '20') as is_ideology_assessed,
        bool_or(e.event_year = y.calendar_year and e.event_type = '20' and e.result_code = '4') as is_ideology_failed,
        bool_or(e.event_year = y.calendar_year and e.event_type = '30') as is_annually_assessed,
        bool_or(e.event_year = y.calendar_year and e.event_type in ('40', '50')) as is_at_enterprise,
        sum(e.training_hours) filter (where e.event_type = '10') as training_hours_two_years
    from years as y
    inner join {{ ref('fct_supervisor_event') }} as e
        on e.event_year in (y.calendar_year - 1, y.calendar_year) and e.event_on <= y.last_on
    where {{ touched('e.supervisor_id') }}
    group by y.calendar_year, e.supervisor_id
)

select
    g.calendar_year,
    g.supervisor_id,
    supervisor.person_key,
    {{ institution_of('g.supervisor_id') }} as inst_code,
    {{ key(institution_of('g.supervisor_id')) }} as institution_key,
    supervisor.supervisor_key,
    supervisor.supervisor_kind,
    coalesce(e.is_ideology_assessed, false) as is_ideology_assessed,
    coalesce(e.is_ideology_failed, false) as is_ideology_failed,
    coalesce(e.is_annually_assessed, false) as is_annually_assessed,
    coalesce(e.is_at_enterprise, false) as is_at_enterprise,
    cast(coalesce(e.training_hours_two_years, 0) as numeric(9,1)) as training_hours_two_years,
    coalesce(e.training_hours_two_years, 0) >= {{ var('training_hours_minimum') }} as is_trained
from guiding as g
left join {{ ref('dim_supervisor') }} as supervisor
    on supervisor.supervisor_id = g.supervisor_id and supervisor.is_current
left join events as e on e.supervisor_id = g.supervisor_id and e.calendar_year = g.calendar_year
