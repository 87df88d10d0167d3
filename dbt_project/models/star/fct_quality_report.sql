select
    q.report_id,
    q.inst_code,
    {{ key('q.inst_code') }} as institution_key,
    q.report_year,
    q.version_no,
    row_number() over (partition by q.inst_code, q.report_year order by q.version_no desc) = 1 as is_last_version,
    q.due_on,
    q.submitted_on,
    coalesce(q.submitted_on <= q.due_on, false) as is_on_time,
    q.is_sampled,
    q.sampled_on,
    q.sampling_result_code,
    result.name_zh as sampling_result_name,
    q.file_digest,
    q.indicator_digest,
    q.snapshot_digest,
    coalesce(q.indicator_digest = q.snapshot_digest, false) as is_digest_equal,
    q.income_total as income_total_cny,
    q.expenditure_total as expenditure_total_cny
from {{ source('accepted', 'quality_report') }} as q
{{ join_name('report_sampling_result', 'q.sampling_result_code', 'result') }}
