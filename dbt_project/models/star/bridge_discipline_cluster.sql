select
    m.map_id,
    m.edition,
    m.discipline_code,
    m.programme_code,
    m.cluster_code,
    m.strength,
    m.basis_code,
    basis.name_zh as basis_name,
    m.panel_doc_no,
    m.valid_from,
    m.valid_to,
    coalesce(cluster.is_key, false) as is_key_cluster,
    m.valid_from <= {{ as_of() }} and (m.valid_to is null or m.valid_to >= {{ as_of() }}) as is_valid
from {{ source('accepted', 'discipline_cluster_map') }} as m
left join {{ source('accepted', 'cluster_reference') }} as cluster
    on cluster.cluster_code = m.cluster_code and cluster.edition = m.edition
{{ join_name('map_basis', 'm.basis_code', 'basis') }}
