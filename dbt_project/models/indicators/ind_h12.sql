{% set grains = ['city', 'institution', 'level_type', 'institution_level_type', 'degree_point'] -%}
with theses as (
    select
        thesis_id,
        inst_code,
        degree_level,
        degree_type,
        case when discipline_code is not null then degree_point_id end as degree_point_id,
        opened_on,
        opened_academic_year,
        is_frontline_claimed or topic_source_code = '14' as is_claimed,
        (is_frontline_claimed or topic_source_code = '14')
        and coalesce(frontline_evidence_code, '0') <> '0'
        and (coalesce(topic_source_code, '') <> '14' or is_source_project_accepted) as is_frontline
    from {{ ref('fct_thesis') }}
),

awards as (
    select
        a.academic_year,
        a.inst_code,
        a.degree_level,
        a.degree_type,
        case when a.discipline_code is not null then a.degree_point_id end as degree_point_id,
        t.is_frontline,
        t.is_claimed
    from {{ ref('fct_degree_award') }} as a
    inner join theses as t on t.thesis_id = a.thesis_id
    where a.awarded_on <= {{ as_of() }}
),

awarded_counted as (
    select
        academic_year as period_code,
        {{ grain_columns(grains) }},
        count(*) filter (where is_frontline) as frontline,
        count(*) filter (where is_claimed) as claimed,
        count(*) as awarded
    from awards
    {{ by_grain(['academic_year'], grains) }}
),

opened_counted as (
    select
        opened_academic_year as period_code,
        {{ grain_columns(grains) }},
        count(*) filter (where is_frontline) as frontline,
        count(*) as opened
    from theses
    where opened_on <= {{ as_of() }}
    {{ by_grain(['opened_academic_year'], grains) }}
)

{{ variant_rows('awarded_counted', {
    'H12': ['frontline', 'awarded'],
    'H12b': ['claimed', 'awarded'],
    'H12g': ['claimed - frontline', 'awarded'],
}) }}
union all
{{ variant_rows('opened_counted', {'H12c': ['frontline', 'opened']}) }}
