select
    d.demand_id,
    d.issuing_dept,
    d.demand_year,
    d.cluster_code,
    d.discipline_code,
    d.degree_level,
    d.headcount as demand_count,
    d.urgency_code,
    urgency.name_zh as urgency_name,
    d.published_on
from {{ source('accepted', 'talent_demand') }} as d
{{ join_name('urgency', 'd.urgency_code', 'urgency') }}
