-- M06.1: the core courses of the windows of one, three and five academic years that end with each year, and which were renewed in them
with {{ core_course_renewals() }},

years as (
    select y.academic_year, y.start_year, y.end_on, least(y.end_on, {{ as_of() }}) as last_on
    from {{ ref('dim_academic_year') }} as y
    where y.start_year >= 2016
),

-- core at the start of the widest window, or since then
core as (
    select y.academic_year, y.start_year, y.last_on, c.*
    from years as y
    inner join courses as c
        on c.core_from_on <= y.last_on and c.core_to_on >= {{ make_date('y.start_year - 4', 9, 1) }}
),

renewed as (
    select
        c.academic_year,
        c.course_id,
        min(c.start_year - cast(substr(t.renewed_year, 1, 4) as integer)) as years_since,
        max(t.renewed_term) as last_renewed_term
    from core as c
    inner join taught as t
        on t.course_id = c.course_id and t.taught_year <= c.academic_year and t.renewed_year <= c.academic_year
    group by c.academic_year, c.course_id
),

dated as (
    select
        c.*,
        r.last_renewed_term,
        {% for years in [1, 3, 5] -%}
        c.core_to_on >= {{ make_date('c.start_year + 1 - ' ~ years, 9, 1) }} as is_core_{{ years }}y,
        coalesce(r.years_since < {{ years }}, false) as is_renewed_{{ years }}y,
        {% endfor -%}
        coalesce({{ term_start('r.last_renewed_term') }}, c.core_from_on) as renewed_on
    from core as c
    left join renewed as r on r.academic_year = c.academic_year and r.course_id = c.course_id
)

select
    d.academic_year,
    d.course_id,
    course.course_key,
    d.inst_code,
    {{ key('d.inst_code') }} as institution_key,
    course.unit_code,
    course.org_unit_key,
    d.core_from_on,
    nullif(d.core_to_on, cast('9999-12-31' as date)) as core_to_on,
    {% for years in [1, 3, 5] -%}
    d.is_core_{{ years }}y,
    d.is_core_{{ years }}y and d.is_renewed_{{ years }}y as is_renewed_{{ years }}y,
    {% endfor -%}
    d.last_renewed_term,
    kind.revision_kind as last_renewal_kind,
    {{ make_date(year_of('d.renewed_on') ~ ' + ' ~ var('renewal_years'), 'cast(extract(month from d.renewed_on) as integer)', 1) }} as renewal_due_on,
    coalesce(kind.revision_kind = '4', false) as is_dropped
from dated as d
inner join {{ ref('dim_course') }} as course on course.course_id = d.course_id
left join (
    select course_id, effective_term, max(revision_kind) as revision_kind from renewals group by course_id, effective_term
) as kind on kind.course_id = d.course_id and kind.effective_term = d.last_renewed_term
