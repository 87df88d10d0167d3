with {{ core_course_renewals() }},

years as (
    {% for year in range(var('plan_start')[:4] | int, var('plan_end')[:4] | int + 1) -%}
    select {{ year }} as cycle_year{{ ' union all ' if not loop.last }}
    {% endfor %}
),

items as (
    select
        i.*,
        substr(i.item_code, 1, 1) as list_kind_code,
        {{ period_kind('i.recurrence') }} as period_kind_code
    from {{ ref('action_item') }} as i
),

-- one date per item: its own once, its month in every year of the plan, the year's end of what goes on
deadlines as (
    select item_code, doc_version, due_year as cycle_year, {{ month_end('due_year', 'due_month') }} as due_on
    from items
    where period_kind_code = 'ONCE'

    union all

    select i.item_code, i.doc_version, y.cycle_year, {{ month_end('y.cycle_year', 'coalesce(i.due_month, 12)') }}
    from items as i
    cross join years as y
    where i.period_kind_code <> 'ONCE'
),

-- how each item is counted: things of its sources, or a share that the courses say (R5)
sources as (
    select item_code, doc_version, max(counts) as counts
    from {{ ref('list_source') }}
    group by item_code, doc_version
),

-- the windows of one, two or three years in which a quantity is counted; each belongs to the cycle in which it is due
windows as (
    select
        i.item_code,
        i.doc_version,
        {{ year_of('q.from_on') }} + (n.nth + 1) * q.window_years - 1 as cycle_year,
        {{ make_date(year_of('q.from_on') ~ ' + n.nth * q.window_years', 1, 1) }} as quantity_from_on,
        {{ month_end(year_of('q.from_on') ~ ' + (n.nth + 1) * q.window_years - 1', 'i.due_month') }} as quantity_due_on,
        cast(i.quantity_min as double precision) as plan_quantity_min,
        cast(i.quantity_max as double precision) as plan_quantity_max,
        i.quantity_unit,
        q.pace_kind,
        q.red_below_path,
        s.counts,
        case when q.is_scaled then {{ population_scale() }} else 1 end as scale
    from items as i
    inner join {{ ref('list_window') }} as q on q.item_code = i.item_code and q.doc_version = i.doc_version
    left join sources as s on s.item_code = i.item_code and s.doc_version = i.doc_version
    cross join (values (0), (1), (2), (3), (4)) as n (nth)
    where (n.nth = 0 or i.period_kind_code <> 'ONCE')
        and {{ year_of('q.from_on') }} + n.nth * q.window_years <= {{ var('plan_end')[:4] }}
),

cycles as (
    select
        coalesce(d.item_code, w.item_code) as item_code,
        coalesce(d.doc_version, w.doc_version) as doc_version,
        coalesce(d.cycle_year, w.cycle_year) as cycle_year,
        d.due_on as deadline_on,
        coalesce(d.due_on, w.quantity_due_on) as due_on,
        w.quantity_from_on,
        w.quantity_due_on,
        w.plan_quantity_min,
        w.plan_quantity_max,
        w.plan_quantity_min * w.scale as quantity_min,
        w.plan_quantity_max * w.scale as quantity_max,
        w.quantity_unit,
        w.pace_kind,
        w.red_below_path,
        w.counts,
        w.counts is not null as is_counted
    from deadlines as d
    full outer join windows as w
        on w.item_code = d.item_code and w.doc_version = d.doc_version and w.cycle_year = d.cycle_year
),

-- what was reported is evidence for the cycle whose year its label names; for an item with one date, all of it
evidence as (
    select
        c.item_code,
        c.doc_version,
        c.cycle_year,
        count(*) as milestone_count,
        count(*) filter (where m.is_done) as done_count,
        count(*) filter (where m.is_done and m.verified_on <= {{ as_of() }} and m.evidence_uri is not null) as verified_count,
        count(*) filter (where m.is_overdue) as overdue_count,
        max(m.done_on) filter (where m.is_done) as done_on,
        max(m.reported_on) as reported_on,
        cast(sum(m.weight_share * m.progress_share) / nullif(sum(m.weight_share), 0) as double precision) as progress_share
    from cycles as c
    inner join items as i on i.item_code = c.item_code and i.doc_version = c.doc_version
    inner join {{ ref('plan_version') }} as v on v.doc_version = c.doc_version
    inner join {{ ref('fct_list_milestone') }} as m
        on m.list_item_id = c.item_code
        and m.doc_version = v.milestones_of
        and (i.period_kind_code = 'ONCE' or m.cycle_year = c.cycle_year)
    where c.deadline_on is not null
    group by c.item_code, c.doc_version, c.cycle_year
),

-- quantities that the sources of this warehouse count
counted as (
    select w.item_code, w.doc_version, w.cycle_year, cast(count(distinct c.counted_id) as double precision) as quantity_count
    from cycles as w
    left join {{ ref('fct_list_count') }} as c
        on c.list_item_id = w.item_code and c.doc_version = w.doc_version and {{ counts_in_window('c', 'w') }}
    where w.counts in ('ROWS', 'GROUPS')
    group by w.item_code, w.doc_version, w.cycle_year

    union all

    select
        w.item_code,
        w.doc_version,
        w.cycle_year,
        100.0 * count(distinct t.course_id) / nullif(count(distinct c.course_id), 0)
    from cycles as w
    inner join courses as c
        on c.core_from_on <= least(w.quantity_due_on, {{ as_of() }}) and c.core_to_on >= w.quantity_from_on
    left join taught as t
        on t.course_id = c.course_id
        and {{ term_start('t.renewed_term') }} between w.quantity_from_on and least(w.quantity_due_on, {{ as_of() }})
        and t.taught_year <= {{ academic_year('least(w.quantity_due_on, ' ~ as_of() ~ ')') }}
    where w.counts = 'SHARE'
    group by w.item_code, w.doc_version, w.cycle_year
),

progressed as (
    select
        c.*,
        i.list_kind_code,
        i.period_kind_code,
        i.name_zh,
        i.name_en,
        coalesce(e.milestone_count, 0) as milestone_count,
        coalesce(e.done_count, 0) as done_count,
        coalesce(e.verified_count, 0) as verified_count,
        coalesce(e.overdue_count, 0) as overdue_count,
        e.reported_on,
        e.progress_share,
        case
            when i.period_kind_code = 'CONTINUOUS' then e.done_count > 0
            else e.done_count = e.milestone_count
        end as is_done,
        case
            when i.period_kind_code = 'CONTINUOUS' then e.verified_count > 0
            else e.verified_count = e.milestone_count
        end as is_verified,
        e.done_on,
        n.quantity_count,
        case
            when c.pace_kind = 'LINEAR' and c.quantity_from_on <= {{ as_of() }}
                then c.quantity_min
                    * ({{ days_between('c.quantity_from_on', 'least(c.quantity_due_on, ' ~ as_of() ~ ')') }} + 1)
                    / ({{ days_between('c.quantity_from_on', 'c.quantity_due_on') }} + 1)
        end as path_quantity
    from cycles as c
    inner join items as i on i.item_code = c.item_code and i.doc_version = c.doc_version
    left join evidence as e
        on e.item_code = c.item_code and e.doc_version = c.doc_version and e.cycle_year = c.cycle_year
    left join counted as n
        on n.item_code = c.item_code and n.doc_version = c.doc_version and n.cycle_year = c.cycle_year
),

-- deadline rule: silence past the due date is red; what goes on needs one activity done in the year, else amber at its end
stated as (
    select
        p.*,
        case
            when deadline_on is null then 'NO-DEADLINE'
            when is_verified then 'VERIFIED'
            when is_done and {{ days_between('done_on', as_of()) }} > 30 then 'UNVERIFIED-LATE'
            when is_done then 'UNVERIFIED'
            when period_kind_code = 'CONTINUOUS' then case when deadline_on <= {{ as_of() }} then 'NO-ACTIVITY' else 'NOT-DUE' end
            when deadline_on < {{ as_of() }} then case when milestone_count = 0 then 'SILENT' else 'OVERDUE' end
            when {{ days_between(as_of(), 'deadline_on') }} <= 60 and coalesce(progress_share, 0) < 0.8 then 'BEHIND'
            else 'NOT-DUE'
        end as deadline_state,
        {{ count_state('quantity_count', 'quantity_min', 'quantity_max') }} as quantity_state_code
    from progressed as p
),

judged as (
    select
        s.*,
        case deadline_state
            when 'VERIFIED' then 'GREEN'
            when 'UNVERIFIED-LATE' then 'AMBER'
            when 'NO-ACTIVITY' then 'AMBER'
            when 'BEHIND' then 'AMBER'
            when 'SILENT' then 'RED'
            when 'OVERDUE' then 'RED'
            else 'GREY'
        end as deadline_status_code,
        case deadline_state
            when 'UNVERIFIED-LATE' then 'UNVERIFIED-DONE'
            when 'UNVERIFIED' then 'UNVERIFIED-DONE'
            when 'SILENT' then 'NO-REPORT'
            when 'NO-ACTIVITY' then 'NO-ACTIVITY'
            when 'NO-DEADLINE' then 'NO-DEADLINE'
            when 'NOT-DUE' then 'NOT-DUE'
        end as deadline_reason_code,
        case when deadline_state not in ('NO-DEADLINE', 'NOT-DUE', 'BEHIND')
            then greatest({{ days_between('deadline_on', 'case when is_done then done_on else ' ~ as_of() ~ ' end') }}, 0)
            else 0
        end as days_late,
        {{ count_status('quantity_state_code', 'quantity_count') }} as quantity_status_code
    from stated as s
)

select
    j.item_code as list_item_code,
    j.name_zh as list_item_zh,
    j.name_en as list_item_en,
    j.doc_version,
    j.doc_version = '{{ var("plan_doc_version") }}' as is_plan_in_force,
    j.list_kind_code,
    list_kind.name_zh as list_kind_zh,
    list_kind.name_en as list_kind_en,
    j.period_kind_code,
    period_kind.name_zh as period_kind_zh,
    period_kind.name_en as period_kind_en,
    cast(j.cycle_year as text) as cycle_code,
    j.due_on,
    j.due_on < {{ as_of() }} as is_due,
    {{ label_zh('reported.lead_dept') }} as lead_dept,
    {{ label_zh('reported.support_depts') }} as support_depts,
    cast(j.milestone_count as integer) as milestone_count,
    cast(j.done_count as integer) as done_count,
    cast(j.verified_count as integer) as verified_count,
    cast(j.overdue_count as integer) as overdue_count,
    j.reported_on as last_reported_on,
    case when j.is_done then j.done_on end as done_on,
    j.progress_share,
    cast(j.days_late as integer) as days_late,
    j.deadline_status_code,
    j.deadline_reason_code,
    deadline.status_zh as deadline_status_zh,
    j.quantity_from_on,
    j.quantity_due_on,
    j.plan_quantity_min,
    j.plan_quantity_max,
    j.quantity_min,
    j.quantity_max,
    j.quantity_unit,
    j.quantity_count,
    cast(j.path_quantity as double precision) as quantity_path,
    j.quantity_state_code,
    j.quantity_status_code,
    quantity.status_zh as quantity_status_zh,
    {{ worse_status('j.deadline_status_code', 'j.quantity_status_code') }} as status_code,
    colour.name_zh as status_zh,
    colour.name_en as status_en,
    colour.status_order,
    colour.colour_hex as status_colour,
    {{ provenance_columns() }}
from judged as j
inner join {{ ref('indicator_status') }} as deadline
    on deadline.status_code = j.deadline_status_code
    and coalesce(deadline.status_reason_code, '') = coalesce(j.deadline_reason_code, '')
inner join {{ ref('indicator_status') }} as quantity
    on quantity.status_code = j.quantity_status_code
    and coalesce(quantity.status_reason_code, '') = case j.quantity_state_code when 'MET' then '' else j.quantity_state_code end
left join {{ ref('dim_list_item') }} as reported
    on reported.list_item_id = j.item_code and reported.doc_version = j.doc_version
{{ join_status(worse_status('j.deadline_status_code', 'j.quantity_status_code')) }}
{{ join_name('list_kind', 'j.list_kind_code', 'list_kind') }}
{{ join_name('period_kind', 'j.period_kind_code', 'period_kind') }}
