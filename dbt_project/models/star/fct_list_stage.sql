-- the stages of every item and cycle in their order: a stage is entered when all before it are done, the first when its cycle begins
with stages as (
    select
        item.list_item_key,
        m.list_item_id,
        m.doc_version,
        m.cycle_year,
        m.stage_code,
        min(m.stage_name) as stage_name,
        case when min(item.period_kind_code) = 'ONCE' then cast('{{ var("plan_start") }}' as date)
            else greatest(cast('{{ var("plan_start") }}' as date), {{ make_date('m.cycle_year', 1, 1) }})
        end as cycle_from_on,
        count(*) as milestone_count,
        count(*) filter (where m.is_done) as done_count,
        max(m.done_on) filter (where m.is_done) as last_done_on,
        max(m.reported_on) as last_reported_on,
        max(m.opened_by_code) as opened_by_code,
        max(m.opened_by_name) as opened_by_name,
        max(m.opened_by_id) as opened_by_id,
        max(m.improvement_verified_on) filter (where m.improvement_verified_on <= {{ as_of() }}) as improvement_verified_on
    from {{ ref('fct_list_milestone') }} as m
    inner join {{ ref('dim_list_item') }} as item on item.list_item_key = m.list_item_key
    group by item.list_item_key, m.list_item_id, m.doc_version, m.cycle_year, m.stage_code
),

ordered as (
    select
        s.*,
        bool_and(done_count = milestone_count) over before_it as is_all_done_before,
        max(last_done_on) over before_it as done_before_on
    from stages as s
    window before_it as (
        partition by list_item_key, cycle_year order by stage_code rows between unbounded preceding and 1 preceding
    )
)

select
    list_item_key,
    list_item_id,
    doc_version,
    cycle_year,
    stage_code,
    stage_name,
    milestone_count,
    done_count,
    case
        when is_all_done_before is null then cycle_from_on
        when is_all_done_before then done_before_on
    end as entered_on,
    case when done_count = milestone_count then last_done_on end as done_on,
    last_reported_on,
    opened_by_code,
    opened_by_name,
    opened_by_id,
    improvement_verified_on
from ordered
