select
    allocation_id,
    component_code,
    component_zh,
    nominal_weight,
    effective_weight,
    rank_shift,
    entropy_weight,
    {{ provenance_columns() }}
from {{ source('allocation', 'weight') }}
