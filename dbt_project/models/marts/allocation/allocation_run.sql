select
    r.allocation_id,
    r.scheme,
    r.scheme_version,
    r.title_zh,
    r.as_of,
    r.budget_cny,
    r.last_total_cny,
    r.institution_count,
    r.draw_count,
    r.scheme_digest,
    r.data_digest,
    r.result_digest,
    r.method_version,
    r.scheme_content,
    r.excluded,
    s.actor as signed_by,
    s.reason as signed_reason,
    s.recorded_at as signed_at,
    r.recorded_at,
    {{ provenance_columns() }}
from {{ source('allocation', 'run') }} as r
inner join {{ source('allocation', 'sign_off') }} as s on s.sign_off_id = r.sign_off_id
