{{ config(follows={'key': 'unit_code', 'rows': {'ind_plan_status': 'unit_code'}}) }}
-- the plan in force
select
    variant_code,
    definition_version,
    grain,
    unit_code,
    period_code,
    is_in_force,
    is_small_number,
    value_before,
    baseline_value,
    target_op,
    plan_target_value,
    target_value,
    path_value,
    target_is_proposed,
    status_code,
    status_reason_code
from {{ ref('ind_plan_status') }}
where doc_version = '{{ var("plan_doc_version") }}' and {{ touched('unit_code') }}
