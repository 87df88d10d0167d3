with {{ core_course_renewals() }},

renewed as (
    select course_id, renewed_year, min(taught_year) as taught_year
    from taught
    group by course_id, renewed_year
),

years as (
    select
        y.academic_year,
        y.start_on,
        y.end_on,
        y.is_complete,
        y.start_year,
        n.years_count,
        {{ make_date('y.start_year + 1 - n.years_count', 9, 1) }} as window_start_on
    from {{ ref('dim_academic_year') }} as y
    cross join (values (1), (3), (5)) as n (years_count)
    where y.start_year >= 2016
),

-- core at the start of the window, or since then
windows as (
    select
        y.academic_year,
        y.years_count,
        c.inst_code,
        c.unit_code,
        c.course_id,
        bool_or(r.course_id is not null) as is_renewed
    from years as y
    inner join courses as c on c.core_from_on <= least(y.end_on, {{ as_of() }}) and c.core_to_on >= y.window_start_on
    left join renewed as r
        on r.course_id = c.course_id
        and r.taught_year <= y.academic_year
        and cast(substr(r.renewed_year, 1, 4) as integer) between y.start_year + 1 - y.years_count and y.start_year
    group by 1, 2, 3, 4, 5
),

counted as (
    select
        academic_year,
        inst_code,
        unit_code,
        {% for years in [1, 3, 5] -%}
        count(*) filter (where years_count = {{ years }}) as core_{{ years }}y,
        count(*) filter (where years_count = {{ years }} and is_renewed) as renewed_{{ years }}y{{ ',' if not loop.last }}
        {% endfor %}
    from windows
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
