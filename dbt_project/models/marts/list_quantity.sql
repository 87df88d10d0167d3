-- the windows in which quantities are counted, as far as they have begun
with windows as (
    select p.*, cast(p.cycle_code as integer) as cycle_year
    from {{ ref('list_progress') }} as p
    where p.quantity_from_on <= {{ as_of() }}
),

assigned as (
    select w.list_item_code, w.doc_version, w.cycle_code, a.inst_code, sum(a.target_quantity) as target_quantity
    from windows as w
    inner join {{ ref('fct_list_assignment') }} as a
        on a.list_item_id = w.list_item_code and a.doc_version = w.doc_version and a.inst_code is not null
        and a.from_on <= w.quantity_due_on and coalesce(a.to_on, w.quantity_due_on) >= w.quantity_from_on
    group by w.list_item_code, w.doc_version, w.cycle_code, a.inst_code
),

counted as (
    select w.list_item_code, w.doc_version, w.cycle_code, c.inst_code, count(distinct c.counted_id) as quantity_count
    from windows as w
    inner join {{ ref('fct_list_count') }} as c
        on c.list_item_id = w.list_item_code and c.doc_version = w.doc_version and c.inst_code is not null
        and {{ counts_in_window('c', 'w') }}
    group by w.list_item_code, w.doc_version, w.cycle_code, c.inst_code
),

-- what the projects of the window are like, and how those that were to be closed in it were closed
projects as (
    select
        w.list_item_code,
        w.doc_version,
        w.cycle_code,
        p.inst_code,
        count(*) filter (where of_window.is_it) as project_count,
        count(*) filter (where of_window.is_it and p.is_school_enterprise) as school_enterprise_count,
        count(*) filter (where of_window.is_it and p.is_cross_discipline) as cross_discipline_count,
        count(*) filter (where of_window.is_it and p.is_multi_institution) as multi_institution_count,
        count(*) filter (where of_window.is_it and p.is_digital) as digital_count,
        count(distinct p.category_code) filter (where of_window.is_it) as category_count,
        count(*) filter (where of_window.is_it and p.is_funded) as funded_count,
        sum(p.amount_cny) filter (where of_window.is_it) as amount_cny,
        count(*) filter (where of_window.is_closing) as closing_count,
        count(*) filter (where of_window.is_closing and p.is_closed_on_time) as closed_on_time_count,
        count(*) filter (where of_window.is_closing and p.is_overdue) as overdue_count
    from windows as w
    inner join {{ ref('fct_list_project') }} as p on p.list_item_id = w.list_item_code
    cross join lateral (
        select
            p.cycle_year between {{ year_of('w.quantity_from_on') }} and w.cycle_year as is_it,
            p.due_close_year between {{ year_of('w.quantity_from_on') }} and w.cycle_year and p.due_close_on < {{ as_of() }} as is_closing
    ) as of_window
    where of_window.is_it or of_window.is_closing
    group by w.list_item_code, w.doc_version, w.cycle_code, p.inst_code
),

units as (
    select list_item_code, doc_version, cycle_code, inst_code from assigned
    union
    select list_item_code, doc_version, cycle_code, inst_code from counted
    union
    select list_item_code, doc_version, cycle_code, inst_code from projects
),

scaled as (
    select w.*, case when q.is_scaled then {{ population_scale() }} else 1 end as scale
    from windows as w
    inner join {{ ref('list_window') }} as q on q.item_code = w.list_item_code and q.doc_version = w.doc_version
)

select
    w.list_item_code,
    w.list_item_zh,
    w.list_item_en,
    w.doc_version,
    w.is_plan_in_force,
    w.cycle_code,
    w.quantity_from_on,
    w.quantity_due_on,
    w.quantity_unit,
    u.inst_code,
    {{ label_zh('institution.inst_name') }} as inst_name,
    institution.inst_order,
    cast(a.target_quantity as double precision) as plan_target_quantity,
    cast(a.target_quantity * w.scale as double precision) as target_quantity,
    cast(coalesce(c.quantity_count, 0) as double precision) as quantity_count,
    case
        when a.target_quantity is null then 'NOT-ASSIGNED'
        when coalesce(c.quantity_count, 0) >= a.target_quantity * w.scale then 'MET'
        when w.quantity_due_on < {{ as_of() }} then 'UNDER'
        else 'NOT-DUE'
    end as quantity_state_code,
    {% for column in ['project', 'school_enterprise', 'cross_discipline', 'multi_institution', 'digital', 'category', 'funded'] -%}
    cast(coalesce(p.{{ column }}_count, 0) as integer) as {{ column }}_count,
    {% endfor -%}
    cast(p.amount_cny as double precision) as amount_cny,
    {% for column in ['closing', 'closed_on_time', 'overdue'] -%}
    cast(coalesce(p.{{ column }}_count, 0) as integer) as {{ column }}_count,
    {% endfor -%}
    {{ provenance_columns() }}
from units as u
inner join scaled as w
    on w.list_item_code = u.list_item_code and w.doc_version = u.doc_version and w.cycle_code = u.cycle_code
{%- for part, alias in {'assigned': 'a', 'counted': 'c', 'projects': 'p'}.items() %}
left join {{ part }} as {{ alias }}
    on {{ alias }}.list_item_code = u.list_item_code and {{ alias }}.doc_version = u.doc_version
    and {{ alias }}.cycle_code = u.cycle_code and {{ alias }}.inst_code = u.inst_code
{%- endfor %}
{{ join_institution('u') }}
