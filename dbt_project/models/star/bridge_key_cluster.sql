select
    discipline_code,
    cluster_code,
    max(strength) as strength,
    max(strength) >= {{ var('map_strength_minimum') }} as is_matched
from {{ ref('bridge_discipline_cluster') }}
where is_valid and is_key_cluster and strength > 0
group by discipline_code, cluster_code
