select
    s.scenario_id,
    r.as_of,
    r.moves,
    r.assumptions,
    s.measure_code,
    s.item_code,
    s.year,
    s.baseline,
    s.baseline_low,
    s.baseline_high,
    s.scenario,
    s.scenario_low,
    s.scenario_high,
    s.difference,
    s.difference_low,
    s.difference_high,
    {{ provenance_columns() }}
from {{ source('allocation', 'quota_scenario') }} as s
inner join {{ source('allocation', 'quota_run') }} as r on r.scenario_id = s.scenario_id
