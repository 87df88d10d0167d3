-- the city's documents of the lists: every one that is due in a cycle and every one that is out, with its edition and what proves its text
with documents as (
    select
        d.*,
        coalesce(d.edition_year, d.issued_year) as cycle_year,
        next.doc_id as superseded_by_id
    from {{ ref('fct_policy_document') }} as d
    left join (
        select supersedes_doc_id, min(doc_id) as doc_id from {{ ref('fct_policy_document') }} group by supersedes_doc_id
    ) as next on next.supersedes_doc_id = d.doc_id
    where d.kind_code = '10' and d.list_item_id is not null and d.issued_on <= {{ as_of() }}
),

-- of an item with one date every document of the plan's years belongs to its cycle
wanted as (
    select p.*, cast(p.cycle_code as integer) as cycle_year
    from {{ ref('list_progress') }} as p
    where p.list_kind_code = 'Z' and coalesce(p.deadline_reason_code, '') <> 'NO-DEADLINE'
        and (p.period_kind_code = 'ONCE' or cast(p.cycle_code as integer) <= {{ this_year() }})
),

paired as (
    select
        coalesce(w.list_item_code, d.list_item_id) as list_item_code,
        coalesce(w.doc_version, '{{ var("plan_doc_version") }}') as doc_version,
        coalesce(w.cycle_code, cast(d.cycle_year as text)) as cycle_code,
        w.due_on,
        d.*
    from wanted as w
    full outer join documents as d
        on d.list_item_id = w.list_item_code
        and (d.cycle_year = w.cycle_year or (w.period_kind_code = 'ONCE' and d.issued_on >= cast('{{ var("plan_start") }}' as date)))
)

select
    p.list_item_code,
    item.name_zh as list_item_zh,
    item.name_en as list_item_en,
    p.doc_version,
    p.doc_version = '{{ var("plan_doc_version") }}' as is_plan_in_force,
    substr(p.list_item_code, 1, 1) as list_kind_code,
    list_kind.name_zh as list_kind_zh,
    list_kind.name_en as list_kind_en,
    p.cycle_code,
    {{ code_or_none('p.doc_id') }} as document_code,
    p.document_title as document_name,
    p.doc_no as document_number,
    p.edition_year,
    p.issued_on,
    p.effective_on,
    p.file_digest as content_hash,
    p.superseded_by_id as superseded_by_code,
    p.due_on,
    cast(case when p.due_on is not null then greatest({{ days_between('p.due_on', 'coalesce(p.issued_on, ' ~ as_of() ~ ')') }}, 0) end as integer) as days_late,
    state.code as document_state_code,
    state.name_zh as document_state_zh,
    state.name_en as document_state_en,
    {{ provenance_columns() }}
from paired as p
inner join {{ ref('action_item') }} as item on item.item_code = p.list_item_code and item.doc_version = p.doc_version
inner join {{ ref('code') }} as state
    on state.code_set = 'list_document_state'
    and state.code = case
        when p.doc_id is null and p.due_on < {{ as_of() }} then 'OVERDUE'
        when p.doc_id is null then 'NOT-DUE'
        when p.superseded_by_id is not null then 'SUPERSEDED'
        when p.issued_on > p.due_on then 'LATE'
        else 'ISSUED'
    end
{{ join_name('list_kind', 'substr(p.list_item_code, 1, 1)', 'list_kind') }}
