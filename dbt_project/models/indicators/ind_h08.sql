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

years as (
    select period_code, start_year, start_on, end_on from {{ ref('ind_period') }} where period_basis = 'AY'
),

-- participants whose student record overlaps the academic year, once per cluster of their discipline
active as (
    select
        y.period_code,
        s.inst_code,
        case when s.discipline_code is not null then s.degree_point_id end as degree_point_id,
        c.cluster_code,
        s.person_key,
        s.degree_type = '2' as is_professional,
        s.entry_on < y.start_on as is_continuing
    from years as y
    inner join participations as p on p.academic_year = y.period_code
    inner join {{ ref('fct_student_lifecycle') }} as s
        on s.student_id = p.student_id
        and s.entry_on <= y.end_on
        and (s.left_on is null or s.left_on > y.start_on)
    left join {{ ref('ind_discipline_cluster') }} as c on c.discipline_code = s.discipline_code and c.is_matched
    where s.status_code <> '30' and s.degree_level in ('1', '2')
),

participants as (
    select
        period_code,
        {{ grain_columns(grains) }},
        person_key,
        bool_or(is_professional) as is_professional,
        bool_or(is_continuing) as is_continuing
    from active
    {{ by_grain(['period_code', 'person_key'], grains) }}
),

participated as (
    select
        period_code,
        grain,
        unit_code,
        count(*) as participants,
        count(*) filter (where is_professional) as participants_professional,
        count(*) filter (where is_continuing) as participants_continuing
    from participants
    group by period_code, grain, unit_code
),

-- the censuses between which the year lies, as far as they have come: on 1 September and 31 August those who graduated in
-- summer have left and those who follow them are not registered
censuses as (
    select y.period_code, c.period_year as census_year, count(*) over (partition by y.period_code) as census_count
    from years as y
    inner join {{ ref('ind_period') }} as c
        on c.period_basis = 'CD' and c.period_year in (y.start_year, y.start_year + 1)
),

in_study as (
    select
        y.period_code,
        y.census_year,
        y.census_count,
        e.inst_code,
        case when e.discipline_code is not null then e.degree_point_id end as degree_point_id,
        c.cluster_code,
        e.person_key,
        e.degree_type = '2' as is_professional,
        e.entry_on < {{ make_date('y.census_year', 9, 1) }} as is_continuing
    from censuses as y
    inner join {{ ref('fct_enrolment_census') }} as e on e.census_year = y.census_year
    left join {{ ref('ind_discipline_cluster') }} as c on c.discipline_code = e.discipline_code and c.is_matched
),

persons as (
    select
        period_code,
        census_count,
        {{ grain_columns(grains) }},
        person_key,
        bool_or(is_professional) as is_professional,
        bool_or(is_continuing) as is_continuing
    from in_study
    {{ by_grain(['period_code', 'census_year', 'census_count', 'person_key'], grains) }}
),

populated as (
    select
        period_code,
        grain,
        unit_code,
        count(*) / cast(census_count as double precision) as persons,
        count(*) filter (where is_professional) / cast(census_count as double precision) as persons_professional,
        count(*) filter (where is_continuing) / cast(census_count as double precision) as persons_continuing
    from persons
    group by period_code, census_count, grain, unit_code
),

counted as (
    select
        period_code,
        grain,
        unit_code,
        {% for population in ['', '_professional', '_continuing'] -%}
        coalesce(p.participants{{ population }}, 0) as participants{{ population }},
        coalesce(m.persons{{ population }}, 0) as persons{{ population }}{{ ',' if not loop.last }}
        {% endfor %}
    from participated as p
    full outer join populated as m using (period_code, grain, unit_code)
)

{{ variant_rows('counted', {
    'H08': ['participants', 'persons'],
    'H08b': ['participants_professional', 'persons_professional'],
    'H08c': ['participants_continuing', 'persons_continuing'],
}) }}
