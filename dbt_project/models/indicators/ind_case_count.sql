{{ config(follows={'key': 'unit_code', 'rows': {'ind_counted_*': 'unit_code'}}) }}
-- Theses and answers behind values whose denominators are weights: a weight of 60 can be three theses.
with definitions as (
    select variant_code, definition_version, {{ is_definition_in_force() }} as is_in_force
    from {{ ref('indicator') }}
)

select c.variant_code, c.grain, c.unit_code, c.period_code, c.case_count
from {{ ref('ind_counted') }} as c
inner join definitions as d
    on d.variant_code = c.variant_code and d.definition_version = c.definition_version and d.is_in_force
where c.case_count > 0 and {{ touched('c.unit_code') }}
