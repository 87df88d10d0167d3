-- A history is estimated at one row, and a nested loop over what is estimated so takes twenty times as long.
{{ config(
    follows={'key': 'supervisor_id', 'rows': {'supervisor': 'supervisor_id'}}, pre_hook="set local enable_nestloop = off",
) }}
-- The institution is the one that reports the supervisor: industry supervisors have no inst_code of their own.
with history as (
    {{ history('supervisor', 'supervisor_id', [
        'person_key', 'inst_code', 'unit_code', 'supervisor_kind', 'title_code', 'qualification_code', 'employer_uscc',
        'employer_region_code', 'nationality_code', 'first_appointed_on', 'status_code',
    ]) }}
)

select
    {{ key('h.src_inst_code', ['h.supervisor_id', 'h.valid_from']) }} as supervisor_key,
    h.supervisor_id,
    h.person_key,
    {{ present_institution('h.src_inst_code') }} as inst_code,
    {{ key(present_institution('h.src_inst_code')) }} as institution_key,
    h.unit_code,
    {{ key('h.inst_code', 'h.unit_code') }} as org_unit_key,
    h.supervisor_kind,
    kind.name_zh as supervisor_kind_name,
    h.title_code,
    title.name_zh as title_name,
    h.qualification_code,
    qualification.name_zh as qualification_name,
    h.employer_uscc,
    {{ enterprise_key('h.employer_uscc') }} as enterprise_key,
    h.employer_region_code,
    h.nationality_code,
    h.first_appointed_on,
    h.status_code,
    status.name_zh as status_name,
    h.version_number,
    h.valid_from,
    h.valid_to,
    h.is_current
from history as h
{{ join_name('supervisor_kind', 'h.supervisor_kind', 'kind') }}
{{ join_name('professional_title', 'h.title_code', 'title') }}
{{ join_name('supervisor_qualification', 'h.qualification_code', 'qualification') }}
{{ join_name('supervisor_state', 'h.status_code', 'status') }}
