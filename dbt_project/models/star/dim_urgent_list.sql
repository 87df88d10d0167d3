select
    l.list_id as urgent_list_id,
    l.edition_year,
    l.published_on,
    l.discipline_code,
    l.degree_level,
    l.category_code,
    category.name_zh as category_name,
    l.cluster_code,
    l.valid_from,
    l.valid_to
from {{ source('accepted', 'urgent_discipline_list') }} as l
{{ join_name('guidance_category', 'l.category_code', 'category') }}
