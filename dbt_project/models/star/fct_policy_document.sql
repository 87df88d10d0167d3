select
    d.doc_id,
    item.list_item_key,
    d.list_item_id,
    d.kind_code,
    kind.name_zh as kind_name,
    d.inst_code,
    {{ key('d.inst_code') }} as institution_key,
    d.title as document_title,
    d.doc_no,
    d.issued_on,
    {{ year_of('d.issued_on') }} as issued_year,
    d.effective_on,
    d.edition_year,
    d.supersedes_doc_id,
    d.file_digest
from {{ source('accepted', 'policy_document') }} as d
left join {{ ref('dim_list_item') }} as item on item.list_item_id = d.list_item_id and item.is_latest_doc_version
{{ join_name('policy_document_kind', 'd.kind_code', 'kind') }}
