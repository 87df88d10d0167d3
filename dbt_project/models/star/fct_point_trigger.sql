-- M19.2: what should set off an action at a degree point: an evaluation that ordered rectification or failed the point, and theses
-- with problems in two sampling years running (national or municipal sampling); and whether an action was in force in time
with problems as (
    select degree_point_id, sampling_year, count(*) as problem_count, max(verdict_on) as decided_on
    from {{ ref('fct_thesis_sampling') }}
    where verdict_code = '2' and authority_code in ('1', '2') and verdict_on <= {{ as_of() }}
    group by degree_point_id, sampling_year
),

triggers as (
    select
        'W01-' || y.degree_point_id || '-' || cast(y.sampling_year as text) as trigger_id,
        y.degree_point_id,
        'W01' as trigger_code,
        cast(y.sampling_year as text) as trigger_ref,
        y.decided_on as triggered_on
    from problems as y
    inner join problems as before
        on before.degree_point_id = y.degree_point_id and before.sampling_year = y.sampling_year - 1
    union all
    select 'EVAL-' || eval_id, degree_point_id, 'EVAL', eval_id, decided_on
    from {{ ref('fct_evaluation_result') }}
    where is_failed and eval_kind_code <> '50' and decided_on <= {{ as_of() }}
),

acted as (
    select t.trigger_id, min(c.issued_on) as acted_on
    from triggers as t
    inner join {{ ref('fct_accountability_case') }} as c
        on c.degree_point_id = t.degree_point_id and (c.closed_on is null or c.closed_on >= t.triggered_on)
    group by t.trigger_id
)

select
    t.trigger_id,
    t.degree_point_id,
    p.degree_point_key,
    {{ institution_of('t.degree_point_id') }} as inst_code,
    {{ key(institution_of('t.degree_point_id')) }} as institution_key,
    p.discipline_code,
    p.degree_level,
    p.degree_type,
    t.trigger_code,
    trigger_reason.name_zh as trigger_name,
    t.trigger_ref,
    t.triggered_on,
    {{ year_of('t.triggered_on') }} as calendar_year,
    a.acted_on,
    {{ days_between('t.triggered_on', as_of()) }} >= {{ var('accountability_days') }}
        or coalesce({{ days_between('t.triggered_on', 'a.acted_on') }} <= {{ var('accountability_days') }}, false) as is_due,
    coalesce({{ days_between('t.triggered_on', 'a.acted_on') }} <= {{ var('accountability_days') }}, false) as is_acted_in_time
from triggers as t
left join acted as a on a.trigger_id = t.trigger_id
left join {{ ref('dim_degree_point') }} as p on p.degree_point_id = t.degree_point_id and p.is_current
{{ join_name('accountability_trigger', 't.trigger_code', 'trigger_reason') }}
