-- how many points in force have the scores that apply to them
select
    monitor_year,
    period_end_on,
    inst_code,
    inst_name,
    inst_order,
    cast(count(*) as integer) as in_force_count,
    cast(count(fit_score) as integer) as fit_scored_count,
    cast(count(*) filter (where fit_state_code = 'EXCLUDED') as integer) as fit_excluded_count,
    cast(count(contribution_score) as integer) as contribution_scored_count,
    cast(count(distinctiveness_score) as integer) as distinctiveness_scored_count,
    cast(count(*) filter (where is_fully_scored) as integer) as fully_scored_count,
    cast(count(*) filter (where is_fully_scored) as double precision) / count(*) as fully_scored_share,
    is_simulated,
    city_scale
from {{ ref('degree_point_monitor') }}
where is_complete
group by monitor_year, period_end_on, inst_code, inst_name, inst_order, is_simulated, city_scale
