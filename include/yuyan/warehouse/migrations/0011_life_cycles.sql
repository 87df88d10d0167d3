-- Every step of every life cycle (problems, overrides, holds) in one table; the old tables of events become views of it.

create table quality.life_cycle_event (
    event_id bigint generated always as identity primary key,
    life_cycle text not null,
    subject_id bigint not null,
    recorded_at timestamptz not null default clock_timestamp(),
    as_of date not null,
    actor text not null,
    action text not null,
    from_state text,
    to_state text not null,
    reason text not null,
    run_id text,
    evidence jsonb not null default '{}'
);
comment on table quality.life_cycle_event is
'问题、豁免、暂缓等须由人员决定的事项的每一步：谁、何时、为何，从何状态到何状态，凭什么；只追加。actor 为 yuyan 的是系统自动处理。状态与步骤见 include/life_cycles';
comment on column quality.life_cycle_event.life_cycle is '哪一种事项：problem 问题、override 豁免、hold 暂缓';
comment on column quality.life_cycle_event.subject_id is '事项的编号（problem_id、override_id、hold_id）';
comment on column quality.life_cycle_event.action is '步骤，见 include/life_cycles';
comment on column quality.life_cycle_event.reason is '理由：人员填写，或系统写明';
comment on column quality.life_cycle_event.evidence is '该步骤必须给出的内容，例如所依据的豁免、承诺的日期、决定人';
create index life_cycle_event_subject on quality.life_cycle_event (life_cycle, subject_id);

insert into quality.life_cycle_event (
    life_cycle, subject_id, recorded_at, as_of, actor, action, from_state, to_state, reason, run_id, evidence
)
select life_cycle, subject_id, recorded_at, as_of, actor, action, from_state, to_state, reason, run_id, evidence
from (
    select
        'problem' as life_cycle, problem_id as subject_id, recorded_at, as_of, actor, action, from_state, to_state, reason,
        run_id, jsonb_strip_nulls(jsonb_build_object('override_id', override_id)) as evidence, event_id
    from quality.problem_event
    union all
    select
        'override', override_id, recorded_at, as_of, actor, case action when 'lapsed' then 'lapse' else action end,
        case when action <> 'request' then case from_state when 'overridden' then 'active' else 'requested' end end,
        case action
            when 'request' then 'requested' when 'approve' then 'active' when 'reject' then 'rejected'
            when 'withdraw' then 'withdrawn' else 'lapsed'
        end,
        reason, run_id, '{}', event_id
    from quality.problem_event
    where override_id is not null
    union all
    select
        'hold', hold_id, recorded_at, as_of, actor,
        case to_state
            when 'waiting' then 'found' when 'accepted' then 'accept' when 'rejected' then 'reject'
            when 'withdrawn' then 'withdraw' when 'applied' then 'apply' else 'exceed'
        end,
        from_state, to_state, reason, run_id, '{}', event_id
    from quality.hold_event
) steps
order by recorded_at, event_id;

drop table quality.problem_event;
drop table quality.hold_event;

create view quality.problem_event as
select
    event_id, subject_id as problem_id, recorded_at, as_of, actor, action, from_state, to_state, reason, run_id,
    (evidence ->> 'override_id')::bigint as override_id
from quality.life_cycle_event
where life_cycle = 'problem';
comment on view quality.problem_event is '问题的每一步（quality.life_cycle_event 的一部分）';

create view quality.override_event as
select event_id, subject_id as override_id, recorded_at, as_of, actor, action, from_state, to_state, reason, run_id
from quality.life_cycle_event
where life_cycle = 'override';
comment on view quality.override_event is '豁免的每一步（quality.life_cycle_event 的一部分）';

create view quality.hold_event as
select event_id, subject_id as hold_id, recorded_at, as_of, actor, action, from_state, to_state, reason, run_id
from quality.life_cycle_event
where life_cycle = 'hold';
comment on view quality.hold_event is '暂缓的每一步（quality.life_cycle_event 的一部分）';
