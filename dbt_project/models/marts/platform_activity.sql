{% set counts = [
    'partner_count', 'university_count', 'outside_first_class_count', 'enterprise_count', 'district_count', 'activity_count',
] -%}
{% set persons = ['student_count', 'seconded_mentor_count', 'placement_count'] -%}
with years as (
    select distinct calendar_year, {{ make_date('calendar_year', 12, 31) }} as period_end_on
    from {{ ref('dim_date') }}
    where calendar_year between 2022 and {{ this_year() }}
),

-- P10: who was newly hired out of the mentor pool since the plan began, each person once
pool as (
    select
        y.calendar_year,
        count(distinct e.person_key) filter (where e.first_appointed_on >= cast('{{ var("plan_start") }}' as date)) as pool_new_count,
        count(distinct e.person_key) filter (
            where e.first_appointed_on >= cast('{{ var("plan_start") }}' as date) and coalesce(e.exited_on > least(y.period_end_on, {{ as_of() }}), true)
        ) as pool_new_net_count
    from years as y
    inner join {{ ref('fct_mentor_pool_entry') }} as e on e.first_appointed_on <= least(y.period_end_on, {{ as_of() }})
    group by y.calendar_year
),

stock as (
    select
        calendar_year,
        count(distinct person_key) filter (where is_in_stock) as pool_stock_count,
        count(distinct person_key) filter (where is_in_stock and is_shared) as pool_shared_count
    from {{ ref('fct_mentor_pool_year') }}
    group by calendar_year
),

stated as (
    select
        f.*,
        case
            when not f.is_running and p.closed_on is not null then 'CLOSED'
            when not f.is_running then 'BEING-SET-UP'
            when p.status_code = '30' then 'RECTIFYING'
            when f.activity_count > 0 or f.seconded_mentor_count > 0 or f.platform_kind_code = 'P10' then 'ACTIVE'
            else 'IDLE'
        end as platform_state_code
    from {{ ref('fct_platform_base_year') }} as f
    inner join {{ ref('dim_platform') }} as p on p.platform_key = f.platform_key
)

select
    f.calendar_year as activity_year,
    y.period_end_on,
    {{ completeness('y.period_end_on') }},
    f.platform_id,
    p.platform_name,
    f.platform_kind_code,
    {{ label_zh('kind.name_zh') }} as platform_kind_zh,
    {{ label_en('kind.name_en') }} as platform_kind_en,
    f.inst_code,
    {{ label_zh('institution.inst_name') }} as inst_name,
    institution.inst_order,
    p.approved_on,
    p.opened_on,
    f.platform_state_code,
    {{ label_zh('state.name_zh') }} as platform_state_zh,
    {{ label_en('state.name_en') }} as platform_state_en,
    f.is_opened,
    f.is_certified,
    f.is_paired,
    {% for column in counts -%}
    f.{{ column }},
    {% endfor -%}
    {% for column in persons -%}
    {{ large_enough('f.' ~ column) }} as {{ column }},
    {% endfor -%}
    {% for column in platform_activity_sums() if column not in persons -%}
    cast(f.{{ column }} as double precision) as {{ column }},
    {% endfor -%}
    cast(f.service_planned_count as double precision) as service_planned_count,
    {% for column in ['pool_new_count', 'pool_new_net_count', 'pool_stock_count', 'pool_shared_count'] -%}
    case when f.platform_kind_code = 'P10' then cast(coalesce({{ column }}, 0) as integer) end as {{ column }},
    {% endfor -%}
    {{ provenance_columns() }}
from stated as f
inner join years as y on y.calendar_year = f.calendar_year
inner join {{ ref('dim_platform') }} as p on p.platform_key = f.platform_key
left join pool on pool.calendar_year = f.calendar_year
left join stock on stock.calendar_year = f.calendar_year
{{ join_institution('f') }}
{{ join_name('platform_kind', 'f.platform_kind_code', 'kind') }}
{{ join_name('platform_state', 'f.platform_state_code', 'state') }}
