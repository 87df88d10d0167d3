-- R2: how many points in force have the scores that apply to them, of the city and of each institution
select
    monitor_year,
    period_end_on,
    is_complete,
    is_latest_complete,
    coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
    inst_code,
    cast(count(*) as integer) as in_force_count,
    cast(count(fit_score) as integer) as fit_scored_count,
    cast(count(*) filter (where fit_state_code = 'EXCLUDED') as integer) as fit_excluded_count,
    cast(count(contribution_score) as integer) as contribution_scored_count,
    cast(count(distinctiveness_score) as integer) as distinctiveness_scored_count,
    cast(count(*) filter (where is_fully_scored) as integer) as fully_scored_count,
    cast(count(*) filter (where is_fully_scored) as double precision) / count(*) as fully_scored_share,
    {{ provenance_columns() }}
from {{ ref('degree_point_monitor') }}
group by grouping sets ((monitor_year, period_end_on, is_complete, is_latest_complete), (monitor_year, period_end_on, is_complete, is_latest_complete, inst_code))
