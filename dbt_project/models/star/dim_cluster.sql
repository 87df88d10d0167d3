with editions as (
    select
        c.*,
        row_number() over (partition by c.cluster_code order by c.edition desc) as recency,
        max(c.edition) over (partition by c.layer) as latest_edition
    from {{ source('accepted', 'cluster_reference') }} as c
)

select
    e.cluster_code,
    e.name as cluster_name,
    e.layer as layer_code,
    layer.name_zh as layer_name,
    tier.tier_zh as tier_name,
    e.edition,
    e.edition = e.latest_edition as is_in_latest_edition,
    e.is_key and e.edition = e.latest_edition as is_key
from editions as e
{{ join_name('cluster_layer', 'e.layer', 'layer') }}
left join {{ ref('cluster') }} as tier on tier.code = e.cluster_code
where e.recency = 1
