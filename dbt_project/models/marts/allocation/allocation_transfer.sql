select
    allocation_id,
    step_code,
    payer_code,
    payer_name,
    receiver_code,
    receiver_name,
    amount_cny,
    {{ provenance_columns() }}
from {{ source('allocation', 'transfer') }}
