select
    a.assignment_id,
    item.list_item_key,
    a.list_item_id,
    a.doc_version,
    a.assignee_kind as assignee_kind_code,
    assignee_kind.name_zh as assignee_kind_name,
    case when a.assignee_kind = 'D' then a.assignee_code end as department_name,
    case when a.assignee_kind = 'I' then a.assignee_code end as inst_code,
    case when a.assignee_kind = 'I' then {{ key('a.assignee_code') }} end as institution_key,
    a.role_code,
    role.name_zh as role_name,
    a.target_quantity,
    a.from_on,
    a.to_on,
    a.from_on <= {{ as_of() }} and (a.to_on is null or a.to_on >= {{ as_of() }}) as is_in_force
from {{ source('accepted', 'list_assignment') }} as a
left join {{ ref('dim_list_item') }} as item on item.list_item_id = a.list_item_id and item.doc_version = a.doc_version
{{ join_name('list_assignee_kind', 'a.assignee_kind', 'assignee_kind') }}
{{ join_name('list_role', 'a.role_code', 'role') }}
