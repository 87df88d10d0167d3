with counted as (
    select
        academic_year,
        inst_code,
        {{ code_or_none('unit_code') }} as unit_code,
        {% for years in [1, 3, 5] -%}
        count(*) filter (where is_core_{{ years }}y) as core_{{ years }}y,
        count(*) filter (where is_renewed_{{ years }}y) as renewed_{{ years }}y{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('fct_core_course_year') }}
    group by 1, 2, 3
)

select
    c.academic_year,
    y.start_on as period_start_on,
    y.end_on as period_end_on,
    {{ completeness('y.end_on') }},
    c.inst_code,
    institution.inst_name,
    institution.inst_order,
    c.unit_code,
    {{ label_zh('unit.unit_name') }} as unit_name_zh,
    cast(c.core_1y as integer) as core_course_count,
    cast(c.renewed_1y as integer) as renewed_count,
    {% for years in [3, 5] -%}
    cast(c.core_{{ years }}y as integer) as core_course_{{ years }}y_count,
    cast(c.renewed_{{ years }}y as integer) as renewed_{{ years }}y_count,
    cast(c.renewed_{{ years }}y as double precision) / nullif(c.core_{{ years }}y, 0) as renewed_{{ years }}y_share{{ ',' if not loop.last }}
    {% endfor %},
    {{ provenance_columns() }}
from counted as c
inner join {{ ref('dim_academic_year') }} as y on y.academic_year = c.academic_year
{{ join_institution('c') }}
left join {{ ref('dim_org_unit') }} as unit on unit.inst_code = c.inst_code and unit.unit_code = c.unit_code
