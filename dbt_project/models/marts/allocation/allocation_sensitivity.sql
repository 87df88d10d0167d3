select
    allocation_id,
    unit_code,
    assumption_code,
    first_order,
    first_order_error,
    total,
    total_error,
    {{ provenance_columns() }}
from {{ source('allocation', 'sensitivity') }}
