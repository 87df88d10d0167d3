{% set kind = ['inst_code', 'degree_level', 'degree_type', 'study_mode'] -%}
with stock as (
    select
        inst_code,
        degree_level,
        {{ code_or_none('degree_type') }} as degree_type,
        {{ code_or_none('study_mode') }} as study_mode,
        census_year,
        count(*) as in_study
    from {{ ref('fct_enrolment_census') }}
    group by 1, 2, 3, 4, 5
),

-- the same registrations as the census: a kept place (30) never enters
registrations as (
    select
        inst_code,
        degree_level,
        {{ code_or_none('degree_type') }} as degree_type,
        {{ code_or_none('study_mode') }} as study_mode,
        entry_on,
        left_on,
        coalesce(first_awarded_on <= left_on, false) as is_awarded
    from {{ ref('fct_student_lifecycle') }}
    where status_code <> '30' and degree_level in ('1', '2')
),

-- the census that a day belongs to: the first one on or after it
entered as (
    select {{ kind | join(', ') }}, {{ census_year('entry_on') }} as census_year, count(*) as entrants
    from registrations
    group by 1, 2, 3, 4, 5
),

departed as (
    select
        {{ kind | join(', ') }},
        {{ census_year('left_on') }} as census_year,
        count(*) as leavers,
        count(*) filter (where is_awarded) as awarded_leavers
    from registrations
    where left_on is not null
    group by 1, 2, 3, 4, 5
),

censuses as (
    select date_on as census_on, calendar_year as census_year, min(calendar_year) over () as first_year
    from {{ ref('dim_date') }}
    where is_census_date and calendar_year >= 2016 and date_on <= {{ as_of() }}
),

kinds as (
    select distinct {{ kind | join(', ') }} from registrations
),

flows as (
    select
        c.census_on,
        c.census_year,
        k.*,
        case
            when c.census_year > c.first_year
                then coalesce(lag(s.in_study) over (
                    partition by {% for column in kind %}k.{{ column }}, {% endfor %}1 order by c.census_year
                ), 0)
        end as opening,
        coalesce(e.entrants, 0) as entrants,
        coalesce(d.leavers, 0) as leavers,
        coalesce(d.awarded_leavers, 0) as awarded_leavers,
        coalesce(s.in_study, 0) as in_study
    from kinds as k
    cross join censuses as c
    {%- for part, alias in {'stock': 's', 'entered': 'e', 'departed': 'd'}.items() %}
    left join {{ part }} as {{ alias }}
        on {{ alias }}.census_year = c.census_year
        {%- for column in kind %}
        and {{ alias }}.{{ column }} = k.{{ column }}
        {%- endfor %}
    {%- endfor %}
)

select
    cast(f.census_year as integer) as census_year,
    f.census_on,
    f.census_on as period_end_on,
    {{ completeness('f.census_on') }},
    f.inst_code,
    institution.inst_name,
    institution.inst_order,
    {{ degree_columns('f') }},
    f.study_mode,
    {{ label_zh('study_mode.name_zh') }} as study_mode_zh,
    {{ label_en('study_mode.name_en') }} as study_mode_en,
    cast(f.opening as integer) as opening_in_study_count,
    cast(f.entrants as integer) as entrant_count,
    cast(f.leavers as integer) as leaver_count,
    cast(f.awarded_leavers as integer) as awarded_leaver_count,
    cast(f.leavers - f.awarded_leavers as integer) as other_leaver_count,
    cast(f.in_study as integer) as in_study_count,
    cast(f.in_study - f.opening - f.entrants + f.leavers as integer) as residual_count,
    {{ provenance_columns() }}
from flows as f
{{ join_institution('f') }}
{{ join_degree_names('f') }}
{{ join_name('study_mode', 'f.study_mode', 'study_mode') }}
where f.opening + f.entrants + f.leavers + f.in_study > 0
    or (f.opening is null and f.entrants + f.leavers + f.in_study > 0)
