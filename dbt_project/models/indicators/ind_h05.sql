{% set grains = ['city', 'institution', 'category', 'discipline', 'institution_category', 'institution_discipline'] -%}
with registered as (
    select a.exam_year, a.inst_code, a.discipline_code, a.person_key, coalesce(d.is_urgent, false) as is_urgent
    from {{ ref('fct_admission') }} as a
    left join {{ ref('dim_discipline') }} as d on d.discipline_code = a.discipline_code
    where a.is_registered
),

entrants as (
    select exam_year, {{ grain_columns(grains) }}, person_key, bool_or(is_urgent) as is_urgent
    from registered
    {{ by_grain(['exam_year', 'person_key'], grains) }}
),

yearly as (
    select exam_year, grain, unit_code, count(*) filter (where is_urgent) as urgent, count(*) as entrants
    from entrants
    group by exam_year, grain, unit_code
),

counted as (
    select
        p.period_code,
        y.grain,
        y.unit_code,
        coalesce(sum(y.urgent) filter (where y.exam_year = p.period_year), 0) as urgent,
        coalesce(sum(y.urgent) filter (where y.exam_year = p.period_year - 1), 0) as urgent_year_before,
        coalesce(sum(y.urgent) filter (where y.exam_year = {{ var('base_year') }}), 0) as urgent_base_year,
        coalesce(sum(y.entrants) filter (where y.exam_year = p.period_year), 0) as entrants,
        coalesce(sum(y.entrants) filter (where y.exam_year = {{ var('base_year') }}), 0) as entrants_base_year
    from {{ ref('ind_period') }} as p
    inner join yearly as y on y.exam_year in (p.period_year, p.period_year - 1, {{ var('base_year') }})
    where p.period_basis = 'EX'
    group by p.period_code, y.grain, y.unit_code
)

{{ variant_rows('counted', {
    'H05a': ['urgent', 'urgent_base_year'],
    'H05b': ['urgent', 'urgent_year_before'],
    'H05c': ['entrants', 'entrants_base_year'],
}) }}
