-- M07.1: teams that have members at the end of a calendar year; of the running year, on the run's date
with years as (
    select distinct calendar_year, least({{ make_date('calendar_year', 12, 31) }}, {{ as_of() }}) as last_on
    from {{ ref('dim_date') }}
    where calendar_year between 2018 and {{ this_year() }}
)

select
    y.calendar_year,
    t.team_id,
    t.team_key,
    t.inst_code,
    t.institution_key,
    t.team_kind,
    t.level_code,
    coalesce(t.is_cross_unit, false) as is_cross_unit,
    coalesce(t.is_school_enterprise, false) as is_school_enterprise,
    coalesce(t.is_multi_institution, false) as is_multi_institution,
    cast(count(distinct m.supervisor_id) as integer) as member_count
from years as y
inner join {{ ref('dim_team') }} as t on t.approved_on <= y.last_on
inner join {{ ref('bridge_team_member') }} as m
    on m.team_id = t.team_id and m.from_on <= y.last_on and (m.to_on is null or m.to_on >= y.last_on)
group by
    y.calendar_year, t.team_id, t.team_key, t.inst_code, t.institution_key, t.team_kind, t.level_code, t.is_cross_unit,
    t.is_school_enterprise, t.is_multi_institution
