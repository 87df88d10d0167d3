-- Counts only, never below an institution
select
    {{ institution_of('m.degree_point_id') }} as inst_code,
    {{ key(institution_of('m.degree_point_id')) }} as institution_key,
    {{ year_of('m.decided_on') }} as calendar_year,
    m.subject_kind as subject_kind_code,
    m.category_code,
    category.name_zh as category_name,
    cast(count(*) as integer) as case_count
from {{ source('accepted', 'misconduct_case') }} as m
{{ join_name('misconduct_category', 'm.category_code', 'category') }}
where m.decided_on <= {{ as_of() }}
group by 1, 2, 3, 4, 5, 6
