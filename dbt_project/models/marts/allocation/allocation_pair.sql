select
    allocation_id,
    inst_code,
    other_code,
    ahead_share,
    is_tied,
    {{ provenance_columns() }}
from {{ source('allocation', 'pair') }}
