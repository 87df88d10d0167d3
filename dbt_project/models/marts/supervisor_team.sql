{% set counts = {
    'active': ['active_count', 'assessed_count', 'failed_count', 'trained_count', 'at_enterprise_count', 'industry_count', 'outside_count', 'overseas_count'],
    'pool': ['pool_stock_count', 'pool_entered_count', 'pool_exited_count', 'pool_appointed_count', 'pool_shared_count'],
    'teams': ['team_count', 'cross_unit_team_count', 'school_enterprise_team_count', 'multi_institution_team_count'],
    'loads': ['guiding_count', 'student_count', 'doctoral_student_count'],
} -%}
with units as (
    select '{{ var("city_code") }}' as unit_code, cast(null as text) as inst_code, cast(null as text) as peer_group_code
    union all
    select inst_code, inst_code, peer_group_code from {{ ref('dim_institution') }}
),

years as (
    select distinct calendar_year, {{ make_date('calendar_year', 12, 31) }} as period_end_on
    from {{ ref('dim_date') }}
    where calendar_year between 2022 and {{ this_year() }}
),

active as (
    select
        calendar_year,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        count(*) as active_count,
        count(*) filter (where is_ideology_assessed) as assessed_count,
        count(*) filter (where is_ideology_failed) as failed_count,
        count(*) filter (where is_trained) as trained_count,
        count(*) filter (where is_at_enterprise) as at_enterprise_count,
        count(*) filter (where supervisor_kind = '2') as industry_count,
        count(*) filter (where supervisor_kind = '3') as outside_count,
        count(*) filter (where supervisor_kind = '4') as overseas_count
    from {{ ref('fct_supervisor_year') }}
    group by grouping sets ((calendar_year), (calendar_year, inst_code))
),

-- a supervisor of two institutions guides at each; the city's figures are over both
guided as (
    select l.*, i.peer_group_code
    from {{ ref('fct_supervisor_load') }} as l
    inner join {{ ref('dim_institution') }} as i on i.inst_code = l.inst_code
),

loads as (
    select
        census_year as calendar_year,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        count(*) as guiding_count,
        sum(student_count) as student_count,
        sum(doctoral_student_count) as doctoral_student_count,
        max(student_count) as load_max,
        percentile_cont(0.9) within group (order by student_count) as load_p90,
        percentile_cont(0.9) within group (order by doctoral_student_count)
            filter (where doctoral_student_count > 0) as doctoral_load_p90
    from guided
    group by grouping sets ((census_year), (census_year, inst_code))
),

peers as (
    select
        census_year as calendar_year, peer_group_code,
        percentile_cont(0.9) within group (order by student_count) as peer_load_p90
    from guided
    group by census_year, peer_group_code
),

pool as (
    select
        calendar_year,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        count(distinct person_key) filter (where is_in_stock) as pool_stock_count,
        count(distinct person_key) filter (where is_entered) as pool_entered_count,
        count(distinct person_key) filter (where is_exited) as pool_exited_count,
        count(distinct person_key) filter (where is_first_appointed) as pool_appointed_count,
        count(distinct person_key) filter (where is_in_stock and is_shared) as pool_shared_count
    from {{ ref('fct_mentor_pool_year') }}
    group by grouping sets ((calendar_year), (calendar_year, inst_code))
),

teams as (
    select
        calendar_year,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        count(*) as team_count,
        count(*) filter (where is_cross_unit) as cross_unit_team_count,
        count(*) filter (where is_school_enterprise) as school_enterprise_team_count,
        count(*) filter (where is_multi_institution) as multi_institution_team_count
    from {{ ref('fct_team_year') }}
    group by grouping sets ((calendar_year), (calendar_year, inst_code))
),

-- M02.3: decided cases against supervisors; sensitive, so a few are not shown
conduct as (
    select
        calendar_year,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        sum(case_count) as case_count
    from {{ ref('fct_misconduct_year') }}
    where subject_kind_code = 'T'
    group by grouping sets ((calendar_year), (calendar_year, inst_code))
)

select
    y.calendar_year as team_year,
    y.period_end_on,
    {{ completeness('y.period_end_on') }},
    u.unit_code,
    u.inst_code,
    coalesce(institution.inst_name, '全市') as unit_name_zh,
    coalesce(institution.inst_order, 0) as inst_order,
    {% for part, columns in counts.items() -%}
    {% for column in columns if column != 'failed_count' -%}
    cast(coalesce({{ part }}.{{ column }}, 0) as integer) as {{ column }},
    {% endfor -%}
    {% endfor -%}
    {{ large_enough('coalesce(active.failed_count, 0)') }} as failed_count,
    {{ large_enough('coalesce(conduct.case_count, 0)') }} as conduct_case_count,
    cast({{ large_enough('coalesce(conduct.case_count, 0)') }} * 1000.0 / nullif(active.active_count, 0) as double precision) as conduct_cases_per_thousand,
    cast(loads.student_count as double precision) / nullif(loads.guiding_count, 0) as load_mean,
    loads.load_p90,
    cast(loads.load_max as integer) as load_max,
    loads.doctoral_load_p90,
    peers.peer_load_p90,
    coalesce(loads.load_p90 > peers.peer_load_p90 * (1 + {{ var('supervisor_load_margin') }}), false) as is_load_above_peers,
    {{ provenance_columns() }}
from years as y
cross join units as u
{%- for part in counts %}
left join {{ part }} on {{ part }}.unit_code = u.unit_code and {{ part }}.calendar_year = y.calendar_year
{%- endfor %}
left join conduct on conduct.unit_code = u.unit_code and conduct.calendar_year = y.calendar_year
left join peers on peers.peer_group_code = u.peer_group_code and peers.calendar_year = y.calendar_year
{{ join_institution_of('u.inst_code') }}
