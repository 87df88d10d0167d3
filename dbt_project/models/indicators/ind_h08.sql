{% set grains = ['city', 'institution', 'degree_point', 'cluster'] -%}
with participations as (
    select distinct student_id, academic_year
    from {{ ref('fct_practice_participation') }}
    where is_verified
        and is_major_industry
        and major_basis_code is not null
        and participation_days_count >= {{ var('practice_days_minimum') }}
        and from_on <= {{ as_of() }}
),

-- student records that overlap the academic year, once per cluster of their discipline; persons are distinct below
members as (
    select
        y.period_code,
        s.inst_code,
        case when s.discipline_code is not null then s.degree_point_id end as degree_point_id,
        c.cluster_code,
        s.person_key,
        s.degree_type = '2' as is_professional,
        s.entry_on < y.start_on as is_continuing,
        s.entry_on <= y.start_on as is_in_study_first_day,
        s.left_on is null or s.left_on > y.end_on as is_in_study_last_day,
        p.student_id is not null as is_participant
    from {{ ref('ind_period') }} as y
    inner join {{ ref('fct_student_lifecycle') }} as s
        on s.entry_on <= y.end_on and (s.left_on is null or s.left_on > y.start_on)
    left join participations as p on p.student_id = s.student_id and p.academic_year = y.period_code
    left join {{ ref('ind_discipline_cluster') }} as c on c.discipline_code = s.discipline_code and c.is_matched
    where y.period_basis = 'AY' and s.status_code <> '30' and s.degree_level in ('1', '2')
),

persons as (
    select
        period_code,
        {{ grain_columns(grains) }},
        person_key,
        bool_or(is_participant) as participates,
        bool_or(is_participant and is_professional) as participates_professional,
        bool_or(is_participant and is_continuing) as participates_continuing,
        bool_or(is_in_study_first_day) as first_day,
        bool_or(is_in_study_last_day) as last_day,
        bool_or(is_in_study_first_day and is_professional) as first_day_professional,
        bool_or(is_in_study_last_day and is_professional) as last_day_professional,
        bool_or(is_in_study_first_day and is_continuing) as first_day_continuing,
        bool_or(is_in_study_last_day and is_continuing) as last_day_continuing
    from members
    {{ by_grain(['period_code', 'person_key'], grains) }}
),

counted as (
    select
        period_code,
        grain,
        unit_code,
        count(*) filter (where participates) as participants,
        count(*) filter (where participates_professional) as participants_professional,
        count(*) filter (where participates_continuing) as participants_continuing,
        count(*) filter (where first_day) + count(*) filter (where last_day) as days,
        count(*) filter (where first_day_professional)
        + count(*) filter (where last_day_professional) as days_professional,
        count(*) filter (where first_day_continuing)
        + count(*) filter (where last_day_continuing) as days_continuing
    from persons
    group by period_code, grain, unit_code
)

{{ variant_rows('counted', {
    'H08': ['participants', 'days / 2.0'],
    'H08b': ['participants_professional', 'days_professional / 2.0'],
    'H08c': ['participants_continuing', 'days_continuing / 2.0'],
}) }}
