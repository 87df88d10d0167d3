select
    allocation_id,
    record_no,
    inst_code,
    component_code,
    record_kind,
    record_count,
    grant_change_cny,
    grant_change_share,
    {{ provenance_columns() }}
from {{ source('allocation', 'influence') }}
