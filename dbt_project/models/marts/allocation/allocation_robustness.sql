select
    allocation_id,
    inst_code,
    inst_name,
    score_rank,
    median_rank,
    rank_low,
    rank_high,
    score_low,
    score_high,
    grant_low_cny,
    grant_high_cny,
    tied_count,
    tied_with,
    {{ provenance_columns() }}
from {{ source('allocation', 'robustness') }}
