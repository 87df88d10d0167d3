-- Counts of all cases, those about persons among them; never below an institution
select
    {{ institution_of('c.target_id') }} as inst_code,
    {{ key(institution_of('c.target_id')) }} as institution_key,
    {{ year_of('c.issued_on') }} as issued_year,
    c.target_kind as target_kind_code,
    target_kind.name_zh as target_kind_name,
    c.action_code,
    action.name_zh as action_name,
    cast(count(*) as integer) as case_count,
    cast(count(*) filter (where c.closed_on is null) as integer) as open_count
from {{ source('accepted', 'accountability_case') }} as c
{{ join_name('accountability_target', 'c.target_kind', 'target_kind') }}
{{ join_name('accountability_action', 'c.action_code', 'action') }}
where c.issued_on <= {{ as_of() }}
group by 1, 2, 3, 4, 5, 6, 7
