{#- Columns that add up activities of some kinds: name -> kinds. -#}
{% set activities = platform_activity_sums() -%}
-- Each platform in every calendar year since its approval, as it stood at the year's end; of the running year, on the run's date
with years as (
    select calendar_year, least(date_on, {{ as_of() }}) as last_on
    from {{ ref('dim_date') }}
    where month_number = 12 and day_number = 31 and calendar_year between 2022 and {{ this_year() }}
),

standing as (
    select
        y.calendar_year,
        y.last_on,
        p.*,
        coalesce(p.opened_on <= y.last_on, false) and (p.closed_on is null or p.closed_on > y.last_on) as is_running_then
    from years as y
    inner join {{ ref('dim_platform') }} as p on coalesce(p.approved_on, p.opened_on) <= y.last_on
),

partners as (
    select
        s.calendar_year,
        s.platform_id,
        count(distinct b.partner_key) as partner_count,
        count(distinct b.partner_key) filter (where b.partner_kind_code = '10') as university_count,
        count(distinct b.partner_key) filter (where p.is_outside_university and p.is_double_first_class) as outside_first_class_count,
        count(distinct b.partner_key) filter (where b.partner_kind_code = '30') as enterprise_count,
        count(distinct b.partner_key) filter (where b.partner_kind_code in ('40', '50')) as district_count,
        bool_or(b.partner_kind_code = '10' and b.signed_on <= s.last_on) as is_paired
    from standing as s
    inner join {{ ref('bridge_platform_partner') }} as b
        on b.platform_id = s.platform_id and b.from_on <= s.last_on and (b.to_on is null or b.to_on >= s.last_on)
    inner join {{ ref('dim_partner') }} as p on p.partner_key = b.partner_key
    group by s.calendar_year, s.platform_id
),

done as (
    select
        activity_year as calendar_year,
        platform_id,
        count(*) as activity_count,
        {% for column, kinds in activities.items() -%}
        sum(quantity) filter (where activity_kind_code in ('{{ kinds | join("', '") }}')) as {{ column }},
        {% endfor -%}
        sum(planned_quantity) filter (where activity_kind_code = '90') as service_planned_count
    from {{ ref('fct_platform_activity') }}
    group by activity_year, platform_id
),

students as (
    select census_year as calendar_year, platform_id, count(distinct person_key) as student_count
    from {{ ref('fct_enrolment_census') }}
    where platform_id is not null
    group by census_year, platform_id
),

-- supervisors who were seconded to enterprises or exchanged with them at the platform
seconded as (
    select event_year as calendar_year, platform_id, count(distinct supervisor_id) as seconded_mentor_count
    from {{ ref('fct_supervisor_event') }}
    where event_type in ('40', '50') and platform_id is not null
    group by event_year, platform_id
)

select
    s.calendar_year,
    s.platform_id,
    s.platform_key,
    s.platform_kind_code,
    s.inst_code,
    s.institution_key,
    s.is_training_base,
    s.is_major_platform,
    s.is_running_then as is_running,
    coalesce({{ year_of('s.opened_on') }} = s.calendar_year and s.opened_on <= s.last_on, false) as is_opened,
    coalesce(s.certified_on <= s.last_on, false) as is_certified,
    coalesce(p.is_paired, false) as is_paired,
    {% for column in ['partner', 'university', 'outside_first_class', 'enterprise', 'district'] -%}
    cast(coalesce(p.{{ column }}_count, 0) as integer) as {{ column }}_count,
    {% endfor -%}
    cast(coalesce(c.student_count, 0) as integer) as student_count,
    cast(coalesce(e.seconded_mentor_count, 0) as integer) as seconded_mentor_count,
    cast(coalesce(d.activity_count, 0) as integer) as activity_count,
    {% for column in activities -%}
    cast(coalesce(d.{{ column }}, 0) as numeric(14, 2)) as {{ column }},
    {% endfor -%}
    cast(coalesce(d.service_planned_count, 0) as numeric(14, 2)) as service_planned_count
from standing as s
{%- for part, alias in {'partners': 'p', 'done': 'd', 'students': 'c', 'seconded': 'e'}.items() %}
left join {{ part }} as {{ alias }} on {{ alias }}.platform_id = s.platform_id and {{ alias }}.calendar_year = s.calendar_year
{%- endfor %}
