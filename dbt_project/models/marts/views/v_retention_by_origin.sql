select
    e.grad_year,
    max(e.status_on) as period_end_on,
    e.inst_code,
    max(institution.inst_name) as inst_name,
    max(institution.inst_order) as inst_order,
    case
        when s.origin_region_code is null then '-' when s.origin_region_code like '50%' then 'CQ' else 'OTHER'
    end as origin_scope,
    case
        when s.origin_region_code is null then '未填' when s.origin_region_code like '50%' then '本市生源' else '市外生源'
    end as origin_scope_zh,
    cast(count(*) as integer) as employed_count,
    cast(count(*) filter (where e.is_in_chongqing) as integer) as employed_in_chongqing_count,
    {{ provenance_columns() }}
from {{ ref('fct_employment') }} as e
left join {{ ref('dim_student') }} as s on s.student_id = e.student_id and s.is_current
{{ join_institution('e') }}
where e.point_code = 'EP2' and e.is_employed and e.status_on <= {{ as_of() }}
group by e.grad_year, e.inst_code, 6, 7
