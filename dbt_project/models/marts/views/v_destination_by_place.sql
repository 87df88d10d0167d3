select
    e.grad_year,
    max(e.status_on) as period_end_on,
    e.inst_code,
    max(institution.inst_name) as inst_name,
    max(institution.inst_order) as inst_order,
    {{ code_or_none('g.province_code') }} as province_code,
    {{ label_zh('max(g.province_name)') }} as province_zh,
    case when g.is_in_chongqing and g.region_kind = 'district' then g.region_code else '-' end as district_code,
    case when g.is_in_chongqing and g.region_kind = 'district' then max(g.region_name) else '市外或未到区县' end as district_zh,
    cast(count(*) as integer) as employed_count,
    {{ provenance_columns() }}
from {{ ref('fct_employment') }} as e
left join {{ ref('dim_geography') }} as g on g.region_code = e.region_code
{{ join_institution('e') }}
where e.point_code = 'EP2' and e.is_employed and e.status_on <= {{ as_of() }}
group by e.grad_year, e.inst_code, g.province_code, 8, g.is_in_chongqing, g.region_kind
