-- M17.1–M17.3: counts of persons of one to four are not shown, nor parts of a whole that is not shown
{% set parts = {
    'sent': ['degree_count', 'departed_count', 'joint_count', 'practice_count', 'practice_recognised_count'],
    'programmes': ['programme_count', 'partner_country_count'],
    'bases': ['base_count'],
    'supervisors': ['overseas_supervisor_count'],
    'students': ['international_count'],
    'leavers': ['left_count', 'completed_count'],
} -%}
with units as (
    select '{{ var("city_code") }}' as unit_code, cast(null as text) as inst_code
    union all
    select inst_code, inst_code from {{ ref('dim_institution') }}
),

years as (
    select distinct calendar_year, {{ make_date('calendar_year', 12, 31) }} as period_end_on
    from {{ ref('dim_date') }}
    where calendar_year between 2016 and {{ this_year() }}
),

sent as (
    select
        selected_year as calendar_year,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        count(distinct person_key) filter (where purpose_code in ('1', '2')) as degree_count,
        count(distinct person_key) filter (where purpose_code in ('1', '2') and is_departed) as departed_count,
        count(distinct person_key) filter (where purpose_code = '3') as joint_count,
        count(distinct person_key) filter (where purpose_code = '4') as practice_count,
        count(distinct person_key) filter (where purpose_code = '4' and is_recognised) as practice_recognised_count
    from {{ ref('fct_overseas_study') }}
    where selected_on <= {{ as_of() }}
    group by grouping sets ((selected_year), (selected_year, inst_code))
),

programmes as (
    select
        calendar_year,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        count(*) as programme_count,
        count(distinct country_code) as partner_country_count
    from {{ ref('fct_sino_foreign_year') }}
    group by grouping sets ((calendar_year), (calendar_year, inst_code))
),

-- how many study in them is reported of the day of the run alone
enrolled as (
    select coalesce(inst_code, '{{ var("city_code") }}') as unit_code, sum(enrolled_count) as enrolled_count
    from {{ ref('fct_sino_foreign_programme') }}
    where is_valid
    group by grouping sets ((), (inst_code))
),

bases as (
    select
        y.calendar_year,
        coalesce(p.inst_code, '{{ var("city_code") }}') as unit_code,
        count(*) as base_count
    from years as y
    inner join {{ ref('dim_platform') }} as p
        on p.is_abroad and p.is_running and p.opened_on <= least(y.period_end_on, {{ as_of() }})
    group by grouping sets ((y.calendar_year), (y.calendar_year, p.inst_code))
    having grouping(p.inst_code) = 1 or p.inst_code is not null
),

supervisors as (
    select
        calendar_year,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        count(distinct person_key) as overseas_supervisor_count
    from {{ ref('fct_overseas_supervisor_year') }}
    group by grouping sets ((calendar_year), (calendar_year, inst_code))
),

students as (
    select
        census_year as calendar_year,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        count(distinct person_key) as international_count
    from {{ ref('fct_enrolment_census') }}
    where is_international
    group by grouping sets ((census_year), (census_year, inst_code))
),

leavers as (
    select
        left_year as calendar_year,
        coalesce(inst_code, '{{ var("city_code") }}') as unit_code,
        count(*) as left_count,
        count(*) filter (where is_awarded) as completed_count
    from {{ ref('fct_student_lifecycle') }}
    where is_international and degree_level in ('1', '2') and left_year is not null
    group by grouping sets ((left_year), (left_year, inst_code))
),

figures as (
    select
        y.calendar_year,
        y.period_end_on,
        u.unit_code,
        u.inst_code,
        {% for part, columns in parts.items() -%}
        {% for column in columns -%}
        coalesce({{ part }}.{{ column }}, 0) as {{ column }},
        {% endfor -%}
        {% endfor -%}
        case when y.calendar_year = {{ this_year() }} then coalesce(enrolled.enrolled_count, 0) end as enrolled_count
    from years as y
    cross join units as u
    {%- for part in parts %}
    left join {{ part }} on {{ part }}.unit_code = u.unit_code and {{ part }}.calendar_year = y.calendar_year
    {%- endfor %}
    left join enrolled on enrolled.unit_code = u.unit_code
)

select
    f.calendar_year as exchange_year,
    f.period_end_on,
    {{ completeness('f.period_end_on') }},
    f.unit_code,
    f.inst_code,
    coalesce(institution.inst_name, '全市') as unit_name_zh,
    coalesce(institution.inst_order, 0) as inst_order,
    {{ large_enough('f.degree_count') }} as degree_study_count,
    {{ large_enough_of('f.departed_count', 'f.degree_count') }} as degree_study_departed_count,
    {{ large_enough('f.joint_count') }} as joint_training_count,
    {{ large_enough('f.practice_count') }} as practice_abroad_count,
    {{ large_enough_of('f.practice_recognised_count', 'f.practice_count') }} as practice_recognised_count,
    cast(f.programme_count as integer) as programme_count,
    cast(f.partner_country_count as integer) as partner_country_count,
    {{ large_enough('f.enrolled_count') }} as programme_enrolled_count,
    cast(f.base_count as integer) as overseas_base_count,
    {{ large_enough('f.overseas_supervisor_count') }} as overseas_mentor_count,
    {{ large_enough('f.international_count') }} as international_student_count,
    {{ large_enough('f.left_count') }} as international_left_count,
    {{ large_enough_of('f.completed_count', 'f.left_count') }} as international_completed_count,
    cast({{ large_enough_of('f.completed_count', 'f.left_count') }} as double precision) / nullif(f.left_count, 0) as completion_share,
    {{ provenance_columns() }}
from figures as f
{{ join_institution_of('f.unit_code') }}
