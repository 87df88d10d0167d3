select
    allocation_id,
    inst_code,
    inst_name,
    group_code,
    group_zh,
    group_count,
    score,
    corrected,
    lcl95,
    ucl95,
    note_zh,
    {{ provenance_columns() }}
from {{ source('allocation', 'efficiency') }}
