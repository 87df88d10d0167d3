-- the number of members below small_cell_minimum is not shown: a branch so small is known by its members
select
    b.branch_id,
    {{ present_institution('b.inst_code') }} as inst_code,
    {{ key(present_institution('b.inst_code')) }} as institution_key,
    b.basis_kind as basis_kind_code,
    basis_kind.name_zh as basis_kind_name,
    b.platform_id,
    {{ platform_key('b.platform_id') }} as platform_key,
    b.discipline_code,
    b.established_on,
    b.closed_on,
    b.closed_on is null or b.closed_on > {{ as_of() }} as is_open,
    b.supported_cycle as supported_year,
    b.list_project_id,
    {{ large_enough('b.member_cnt') }} as member_count
from {{ source('accepted', 'party_branch') }} as b
{{ join_name('party_branch_basis', 'b.basis_kind', 'basis_kind') }}
