-- the categories of an item (R1's seven aspects, the topics of X01, …), each cycle that has begun: what was started and closed, and what is missing
with cycles as (
    select p.*, cast(p.cycle_code as integer) as cycle_year
    from {{ ref('list_progress') }} as p
    where p.quantity_from_on <= {{ as_of() }}
),

projects as (
    select
        c.list_item_code,
        c.doc_version,
        c.cycle_code,
        p.category_code,
        count(*) as project_count,
        count(distinct p.inst_code) as institution_count,
        count(*) filter (where p.is_closed and p.close_result_code = '10') as closed_count,
        min(p.approved_on) as first_approved_on
    from cycles as c
    inner join {{ ref('fct_list_project') }} as p
        on p.list_item_id = c.list_item_code
        and p.cycle_year between {{ year_of('c.quantity_from_on') }} and c.cycle_year
        and p.approved_on <= {{ as_of() }}
    group by c.list_item_code, c.doc_version, c.cycle_code, p.category_code
),

stated as (
    select
        c.list_item_code,
        c.list_item_zh,
        c.list_item_en,
        c.doc_version,
        c.is_plan_in_force,
        c.list_kind_code,
        c.list_kind_zh,
        c.list_kind_en,
        c.cycle_code,
        category.code as category_code,
        category.name_zh as category_zh,
        category.name_en as category_en,
        coalesce(p.project_count, 0) as project_count,
        coalesce(p.institution_count, 0) as institution_count,
        coalesce(p.closed_count, 0) as closed_count,
        p.first_approved_on,
        case when d.item_code is not null then coalesce(d.started_by_on, c.quantity_due_on) end as started_by_on,
        coalesce(d.red_after_on, c.quantity_due_on) as red_after_on,
        d.closed_by_on,
        case when p.project_count is null then 'MISSING' when p.closed_count > 0 then 'CLOSED' else 'STARTED' end as category_state_code
    from cycles as c
    inner join {{ ref('code') }} as category
        on category.code_set = 'list_project_category' and category.parent_code = c.list_item_code
    left join projects as p
        on p.list_item_code = c.list_item_code and p.doc_version = c.doc_version and p.cycle_code = c.cycle_code
        and p.category_code = category.code
    left join {{ ref('list_category_due') }} as d on d.item_code = c.list_item_code and d.doc_version = c.doc_version
),

judged as (
    select
        s.*,
        case
            when started_by_on is null then 'GREY'
            when category_state_code = 'CLOSED' then 'GREEN'
            when category_state_code = 'MISSING' and red_after_on < {{ as_of() }} then 'RED'
            when category_state_code = 'STARTED' and closed_by_on < {{ as_of() }} then 'RED'
            when category_state_code = 'MISSING' and started_by_on < {{ as_of() }} then 'AMBER'
            when category_state_code = 'STARTED' and closed_by_on is null then 'GREEN'
            else 'GREY'
        end as status_code
    from stated as s
)

select
    j.list_item_code,
    j.list_item_zh,
    j.list_item_en,
    j.doc_version,
    j.is_plan_in_force,
    j.list_kind_code,
    j.list_kind_zh,
    j.list_kind_en,
    j.cycle_code,
    j.category_code,
    j.category_zh,
    j.category_en,
    cast(j.project_count as integer) as project_count,
    cast(j.institution_count as integer) as institution_count,
    cast(j.closed_count as integer) as closed_count,
    j.first_approved_on,
    j.started_by_on,
    j.closed_by_on,
    j.category_state_code,
    state.name_zh as category_state_zh,
    state.name_en as category_state_en,
    j.status_code,
    colour.name_zh as status_zh,
    colour.name_en as status_en,
    colour.status_order,
    colour.colour_hex as status_colour,
    {{ provenance_columns() }}
from judged as j
inner join {{ ref('code') }} as state on state.code_set = 'list_category_state' and state.code = j.category_state_code
{{ join_status('j.status_code') }}
