-- Who entered the city's pool, and what came of it. The institution is the one that reports the supervisor.
with hired as (
    select pool_entry_id, min(from_on) as first_appointed_on, count(distinct inst_code) as institution_count
    from {{ ref('fct_supervisor_appointment') }}
    where is_from_pool and from_on <= {{ as_of() }}
    group by pool_entry_id
)

select
    e.pool_entry_id,
    e.supervisor_id,
    supervisor_then.supervisor_key,
    supervisor_now.person_key,
    {{ institution_of('e.supervisor_id') }} as inst_code,
    {{ key(institution_of('e.supervisor_id')) }} as institution_key,
    e.entry_kind,
    entry_kind.name_zh as entry_kind_name,
    e.high_level_basis as high_level_basis_code,
    basis.name_zh as high_level_basis_name,
    e.entered_on,
    e.exited_on,
    e.exit_reason_code,
    exit_reason.name_zh as exit_reason_name,
    hired.first_appointed_on,
    cast(coalesce(hired.institution_count, 0) as integer) as institution_count
from {{ source('accepted', 'mentor_pool_entry') }} as e
{{ join_versions('dim_supervisor', 'e.supervisor_id', 'e.entered_on') }}
left join hired on hired.pool_entry_id = e.pool_entry_id
{{ join_name('mentor_kind', 'e.entry_kind', 'entry_kind') }}
{{ join_name('mentor_basis', 'e.high_level_basis', 'basis') }}
{{ join_name('mentor_exit_reason', 'e.exit_reason_code', 'exit_reason') }}
