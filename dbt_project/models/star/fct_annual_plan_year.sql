-- M21.3: institutions that the lists give tasks to, and whether the annual plan that they filed carries all of them
with years as (
    select distinct
        calendar_year,
        {{ make_date('calendar_year', 1, 1) }} as first_on,
        least({{ make_date('calendar_year', 12, 31) }}, {{ as_of() }}) as last_on
    from {{ ref('dim_date') }}
    where calendar_year between {{ var('plan_start')[:4] }} and {{ this_year() }}
),

assigned as (
    select y.calendar_year, y.last_on, a.inst_code, array_agg(distinct a.list_item_id) as item_codes
    from years as y
    inner join {{ ref('fct_list_assignment') }} as a
        on a.doc_version = '{{ var("plan_doc_version") }}' and a.inst_code is not null
        and a.from_on <= y.last_on and (a.to_on is null or a.to_on >= y.first_on)
    group by y.calendar_year, y.last_on, a.inst_code
),

planned as (
    select a.calendar_year, a.inst_code, array_agg(distinct carried.item_code) as item_codes, count(distinct d.doc_id) as plan_count
    from assigned as a
    inner join {{ source('accepted', 'policy_document') }} as d
        on d.kind_code = '40' and d.inst_code = a.inst_code and d.edition_year = a.calendar_year and d.issued_on <= a.last_on
    left join lateral unnest(d.carried_item_ids) as carried (item_code) on true
    group by a.calendar_year, a.inst_code
)

select
    a.calendar_year,
    a.inst_code,
    {{ key('a.inst_code') }} as institution_key,
    cast(cardinality(a.item_codes) as integer) as assigned_count,
    cast((select count(*) from unnest(a.item_codes) as i (code) where i.code = any(p.item_codes)) as integer) as carried_count,
    coalesce(p.plan_count, 0) > 0 as has_plan,
    coalesce(p.plan_count, 0) > 0 and not exists (
        select 1 from unnest(a.item_codes) as i (code) where not coalesce(i.code = any(p.item_codes), false)
    ) as is_whole
from assigned as a
left join planned as p on p.calendar_year = a.calendar_year and p.inst_code = a.inst_code
