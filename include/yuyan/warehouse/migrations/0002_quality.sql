-- Tables an auditor reads: rules, results, failing rows and their causes, quarantine, problems and overrides, holds,
-- credibility, scorecard (docs/data-quality.md).

create schema if not exists quality;
comment on schema quality is '数据质量：规则、结果、逐行问题、隔离区、问题与豁免、暂缓、可信度、评分卡';

-- A warehouse whose results still say what arrived in each run: those tables stay, to be read under other names.
do $$
begin
    if exists (
        select 1 from information_schema.columns
        where table_schema = 'quality' and table_name = 'row_failure' and column_name = 'run_id'
    ) then
        alter table quality.rule rename to rule_without_versions;
        alter table quality.result rename to result_of_arrivals;
        alter table quality.row_failure rename to row_failure_of_arrivals;
        alter table quality.release drop constraint release_reason_check;
        alter table quality.release add constraint release_reason_check
            check (reason in ('healed', 'rule_changed', 'override'));
    end if;
end
$$;

create table if not exists quality.rule (
    rule_id text not null,
    version int not null,
    entity text not null,
    column_name text,
    level smallint not null check (level between 0 and 5),
    severity text not null check (severity in ('REJECT', 'ERROR', 'WARN', 'INFO')),
    eligible text,
    definition text not null,
    tolerance_rows bigint not null default 0,
    tolerance_pct numeric not null default 0,
    override_by text not null default 'nobody' check (override_by in ('nobody', 'university', 'commission')),
    message text not null,
    why text not null,
    fix text not null,
    owner text not null,
    indicators text[] not null default '{}',
    valid_from date,
    valid_to date,
    digest text not null,
    first_run_id text not null,
    is_current boolean not null,
    primary key (rule_id, version)
);
comment on table quality.rule is '规则目录，含历次版本：结构规则来自数据约定，业务规则来自 expectations/';
comment on column quality.rule.level is '0 文件 1 字段 2 记录 3 跨实体 4 跨期间 5 跨来源';
comment on column quality.rule.severity is 'REJECT、ERROR 隔离该行；WARN、INFO 只记录';
comment on column quality.rule.eligible is '适用条件（SQL）；为空表示全部记录适用';
comment on column quality.rule.definition is '适用的记录须满足的条件（SQL，r 为被判断的记录）';
comment on column quality.rule.tolerance_rows is '容许的不合格行数；与 tolerance_pct 取较宽者。容许范围内不立为问题，但不合格行照样隔离';
comment on column quality.rule.tolerance_pct is '容许的不合格比例（%）';
comment on column quality.rule.override_by is '谁可以批准豁免：nobody 不可豁免，university 报送单位，commission 市教委';
comment on column quality.rule.digest is '规则内容（条件、断言、级别、严重程度、容许范围、豁免权、有效期）的摘要；内容变了而版本未变的规则不能使用';
comment on column quality.rule.first_run_id is '首次使用这一版本的运行';
create unique index if not exists rule_current on quality.rule (rule_id) where is_current;

create table if not exists quality.result (
    run_id text not null,
    rule_id text not null,
    rule_version int not null,
    src_inst_code text not null,
    entity text not null,
    eligible bigint not null,
    failed bigint not null,
    unverifiable bigint not null,
    rate numeric generated always as (case when eligible > 0 then failed::numeric / eligible end) stored,
    tolerance_rows bigint not null,
    tolerance_pct numeric not null,
    overridden bigint not null default 0,
    new bigint not null,
    still bigint not null,
    resolved bigint not null,
    verdict text not null check (verdict in ('pass', 'tolerated', 'overridden', 'fail', 'unverifiable')),
    primary key (run_id, rule_id, src_inst_code),
    check (failed = new + still)
);
comment on table quality.result is '每次运行、每条规则、每个单位的结果，按运行后全部现有记录的最新版本统计（不只本次到达的行）；只写本次判定过的实体';
comment on column quality.result.eligible is '适用行数';
comment on column quality.result.unverifiable is '无法判断的行数（缺值不等于通过）';
comment on column quality.result.overridden is '不合格行中已豁免的行数（另有未豁免问题的行仍被隔离）';
comment on column quality.result.new is '不合格且上次判定时没有这一问题的记录数';
comment on column quality.result.still is '上次判定时已有、现在仍不合格的记录数';
comment on column quality.result.resolved is '上次判定时不合格、现已不再不合格的记录数（更正、删除、修复、规则变更）';
comment on column quality.result.verdict is 'pass 通过；tolerated 在容许范围内；overridden 已豁免；fail 不通过；unverifiable 没有不合格，但没有一行可以判断';

-- of an entity's runs: the current one, and those to be thinned
create index if not exists result_entity on quality.result (entity, run_id);

create table if not exists quality.last_judged (
    entity text primary key,
    run_id text not null,
    as_of date not null
);
comment on table quality.last_judged is '每个实体最近一次判定的运行；该次运行的 quality.result 即现状';

create or replace view quality.current_result as
select r.*
from quality.result as r
inner join quality.last_judged as j on r.entity = j.entity and r.run_id = j.run_id;
comment on view quality.current_result is '现状：每个实体最近一次判定的结果';

create table if not exists quality.row_failure (
    failure_id bigint generated always as identity primary key,
    entity text not null,
    raw_id bigint not null,
    rule_id text not null,
    rule_version int not null,
    src_inst_code text not null,
    src_record_id text not null,
    record_key text,
    batch_id text not null,
    row_no bigint not null,
    column_name text,
    observed_value text,
    severity text not null,
    cause_id text,
    override_id bigint,
    since_run_id text not null,
    last_run_id text not null,
    resolved_run_id text,
    resolution text check (resolution in ('corrected', 'deleted', 'healed', 'rule_changed', 'replaced')),
    check ((resolved_run_id is null) = (resolution is null))
);
comment on table quality.row_failure is '逐行问题：哪条记录的哪个版本违反哪条规则、观察值是什么、起于哪次运行、何时因何了结；resolved_run_id 为空即仍存在';
comment on column quality.row_failure.last_run_id is '最近一次判定其仍违反该规则的运行';
comment on column quality.row_failure.since_run_id is '该记录首次违反该规则的运行；更正后的版本仍违反的，沿用首次';
comment on column quality.row_failure.cause_id is '根因编号，见 quality.cause';
comment on column quality.row_failure.override_id is '适用于该问题的豁免，见 quality.override；豁免失效后仍保留，以备查考';
comment on column quality.row_failure.resolution is 'corrected 来源已更正；deleted 来源已删除；healed 所查的其他记录变化后通过；rule_changed 规则变更后通过；replaced 来源送来的新版本仍不合格，由新版本的行接续';
create unique index if not exists row_failure_stands on quality.row_failure (entity, raw_id, rule_id) where resolved_run_id is null;
create index if not exists row_failure_version on quality.row_failure (entity, raw_id);
create index if not exists row_failure_resolved on quality.row_failure (resolved_run_id);
create index if not exists row_failure_standing on quality.row_failure (rule_id, src_inst_code) where resolved_run_id is null;

create table if not exists quality.cause (
    cause_id text primary key,
    kind text not null check (kind in ('parent_missing', 'parent_quarantined', 'unknown_code', 'same_batch', 'single')),
    src_inst_code text not null,
    entities text[] not null,
    rule_ids text[] not null,
    cause_entity text,
    cause_key text,
    cause_rule_ids text[] not null default '{}',
    batch_id text,
    observed_value text,
    failed_rows bigint not null,
    example_record_key text,
    message text not null,
    since_run_id text not null,
    last_run_id text not null,
    resolved_run_id text
);
comment on table quality.cause is '根因：同一原因造成的不合格行归为一组，缺一个上级记录是一个问题而不是一千个';
comment on column quality.cause.kind is 'parent_missing 上级记录未报；parent_quarantined 上级记录被隔离；unknown_code 同一个未知代码；same_batch 同一批次整体不合格；single 其余，按规则与单位归组';
comment on column quality.cause.src_inst_code is '须处理的单位：上级记录的报送单位，其余为不合格行的报送单位';
comment on column quality.cause.entities is '不合格行所属的实体';
comment on column quality.cause.rule_ids is '不合格行违反的规则';
comment on column quality.cause.cause_entity is '须先处理的上级实体';
comment on column quality.cause.cause_key is '须先处理的上级记录的自然键';
comment on column quality.cause.cause_rule_ids is '上级记录被隔离时，它违反的规则';
comment on column quality.cause.batch_id is '整体不合格的批次';
comment on column quality.cause.observed_value is '未知的代码';
comment on column quality.cause.failed_rows is '因此不合格的行数；逐行见 quality.row_failure.cause_id';
comment on column quality.cause.message is '一句话说明';

create table if not exists quality.quarantine (
    entity text not null,
    raw_id bigint not null,
    src_inst_code text not null,
    src_record_id text not null,
    batch_id text not null,
    rule_ids text[] not null,
    state text not null default 'open' check (state in ('open', 'superseded', 'stood_down')),
    since_run_id text not null,
    last_run_id text not null,
    primary key (entity, raw_id)
);
comment on table quality.quarantine is '未通过校验的版本行。open：仍是该记录的最新版本；superseded：来源已送来更新的版本；stood_down：曾被接收的上一版本，最新版本在隔离区期间本应继续公布，但自身也不再合格，故未公布。重新判定通过的行移入 quality.release';
do $$
begin
    if not exists (
        select 1 from pg_constraint
        where conrelid = 'quality.quarantine'::regclass and conname = 'quarantine_state_check'
            and pg_get_constraintdef(oid) like '%stood_down%'
    ) then
        alter table quality.quarantine drop constraint quarantine_state_check;
        alter table quality.quarantine add constraint quarantine_state_check
            check (state in ('open', 'superseded', 'stood_down'));
    end if;
end
$$;

create table if not exists quality.release (
    entity text not null,
    raw_id bigint not null,
    src_inst_code text not null,
    src_record_id text not null,
    batch_id text not null,
    rule_ids text[] not null,
    since_run_id text not null,
    released_run_id text not null,
    reason text not null check (reason in ('healed', 'rule_changed', 'override')),
    primary key (entity, raw_id, released_run_id)
);
comment on table quality.release is '离开隔离区的行及原因：healed 所查的其他记录（如上级）变化后通过；rule_changed 规则变更后通过；override 因豁免放行';

create table if not exists quality.judged (
    entity text not null,
    batch_id text not null,
    rule_set text not null,
    run_id text not null,
    primary key (entity, batch_id)
);
comment on table quality.judged is '批次按哪一版规则集判定过；rule_set 是规则内容的摘要';

create table if not exists quality.steward (
    name text primary key,
    role text not null check (role in ('university', 'commission')),
    src_inst_code text,
    check ((role = 'university') = (src_inst_code is not null))
);
comment on table quality.steward is '有权提出、审批的人员账号，由 include/stewards.yml 生成';

create table if not exists quality.problem (
    problem_id bigint generated always as identity primary key,
    rule_id text not null,
    src_inst_code text not null,
    entity text not null,
    severity text not null,
    state text not null check (state in ('open', 'fix_promised', 'override_requested', 'overridden', 'fixed', 'known')),
    failed bigint not null,
    causes bigint not null default 0,
    known_rows bigint,
    promised_for date,
    opened_run_id text not null,
    last_run_id text not null,
    fixed_run_id text,
    unique (rule_id, src_inst_code),
    check ((state = 'known') = (known_rows is not null)),
    check ((state = 'fix_promised') = (promised_for is not null)),
    check ((state = 'fixed') = (fixed_run_id is not null))
);
comment on table quality.problem is '问题：每条规则 × 单位一个。超出容许范围即立，全部了结即为已修复，再犯则重新打开';
comment on column quality.problem.state is 'open 待处理；fix_promised 已承诺修复；override_requested 已申请豁免；overridden 已豁免；fixed 已修复；known 已知（已说明，不影响使用）';
comment on column quality.problem.failed is '最近一次检查时不合格的行数（可信度规则为警报数）';
comment on column quality.problem.causes is '不合格行的根因个数';
comment on column quality.problem.known_rows is '说明时的不合格行数；超过即重新打开';
comment on column quality.problem.promised_for is '承诺修复的日期；逾期未修复即重新打开';

create table if not exists quality.problem_event (
    event_id bigint generated always as identity primary key,
    problem_id bigint not null references quality.problem,
    recorded_at timestamptz not null default clock_timestamp(),
    as_of date not null,
    actor text not null,
    action text not null,
    from_state text,
    to_state text not null,
    reason text not null,
    run_id text,
    override_id bigint
);
comment on table quality.problem_event is '问题的每一步：谁、何时、为何，从何状态到何状态；只追加。actor 为 yuyan 的是系统自动处理';
comment on column quality.problem_event.action is 'found 发现；failed_again 再次发生；promise 承诺修复；overdue 承诺逾期；explain 说明；unexplained 说明不再成立；reopen 重新打开；request 申请豁免；approve 批准；reject 驳回；withdraw 撤回；lapsed 豁免失效；settled 了结';
comment on column quality.problem_event.reason is '理由：人员填写，或系统写明';

create table if not exists quality.override (
    override_id bigint generated always as identity primary key,
    problem_id bigint not null references quality.problem,
    rule_id text not null,
    rule_version int not null,
    src_inst_code text not null,
    state text not null check (state in ('requested', 'active', 'rejected', 'withdrawn', 'lapsed')),
    granted_rows bigint not null check (granted_rows > 0),
    justification text not null,
    requested_by text not null,
    requested_on date not null,
    expires_on date not null,
    decided_by text,
    decided_on date,
    decision_reason text,
    lapsed_run_id text,
    lapse_reason text check (lapse_reason in ('expired', 'exceeded', 'rule_changed', 'fixed')),
    check (requested_by <> decided_by),
    check (expires_on > requested_on and expires_on <= requested_on + 366),
    check ((state = 'lapsed') = (lapse_reason is not null))
);
comment on table quality.override is '豁免：放行多少行、理由、申请人、审批人、到期日。到期次日、不合格行超过放行数、规则换版或不再有不合格行时自动失效';
comment on column quality.override.state is 'requested 待审批；active 生效；rejected 已驳回；withdrawn 已撤回；lapsed 已失效';
comment on column quality.override.granted_rows is '放行的不合格行数上限';
create unique index if not exists override_live on quality.override (problem_id) where state in ('requested', 'active');

create table if not exists quality.hold (
    hold_id bigint generated always as identity primary key,
    src_inst_code text not null,
    entity text not null,
    kind text not null check (kind in ('emptied', 'shrunk', 'repeated')),
    run_id text not null,
    as_of date not null,
    last_run_id text not null,
    batch_ids text[] not null,
    landing_uris text[] not null,
    live_rows bigint not null,
    affected_rows bigint not null,
    state text not null default 'waiting'
        check (state in ('waiting', 'accepted', 'rejected', 'withdrawn', 'applied', 'exceeded')),
    decided_by text,
    decided_on date,
    reason text,
    closed_run_id text,
    check ((state in ('withdrawn', 'applied', 'exceeded')) = (closed_run_id is not null))
);
comment on table quality.hold is '暂缓：来源清空、骤减或重送旧数据的批次，已落地、未生效，等待决定；此前接收的数据继续有效。每个单位、实体至多一个未了结';
comment on column quality.hold.kind is 'emptied 清空；shrunk 一次减少一半以上；repeated 退回旧内容';
comment on column quality.hold.run_id is '首次发现的采集运行；以后的采集再次遇到的，不另立，更新数字和 last_run_id';
comment on column quality.hold.batch_ids is '最近一次被暂缓（已生效的：生效）的批次';
comment on column quality.hold.landing_uris is '这些批次在落地区的文件';
comment on column quality.hold.live_rows is '仓库中该实体的有效记录数';
comment on column quality.hold.affected_rows is '将被终止或退回旧内容的记录数；认可即认可至多这么多条';
comment on column quality.hold.state is 'waiting 待定；accepted 认可（下次采集生效）；rejected 不认可；withdrawn 来源已恢复；applied 已生效；exceeded 认可后来源的影响超过认可的数量，另立新的暂缓';
comment on column quality.hold.closed_run_id is '了结的采集运行（生效、恢复或超出）';
create unique index if not exists hold_open on quality.hold (src_inst_code, entity) where state in ('waiting', 'accepted', 'rejected');

create table if not exists quality.hold_event (
    event_id bigint generated always as identity primary key,
    hold_id bigint not null references quality.hold,
    recorded_at timestamptz not null default clock_timestamp(),
    as_of date not null,
    actor text not null,
    from_state text,
    to_state text not null,
    reason text not null,
    run_id text
);
comment on table quality.hold_event is '暂缓的每一步：谁、何时、为何，从何状态到何状态；只追加。actor 为 yuyan 的是系统自动处理';

create table if not exists quality.credibility (
    run_id text not null,
    rule_id text not null,
    src_inst_code text not null,
    variant_code text not null,
    category text not null default '',
    period_code text not null,
    observed double precision,
    expected double precision,
    threshold double precision,
    is_alarm boolean not null,
    explanation text not null,
    primary key (run_id, rule_id, src_inst_code, variant_code, category, period_code)
);
comment on table quality.credibility is '可信度检查（跨期间、跨单位）：观察值、预期值与警戒线；每个警报是一个须说明或更正的问题';

create table if not exists quality.first_assessed (
    rule_id text not null,
    src_inst_code text not null,
    period_code text not null,
    run_id text not null,
    observed double precision not null,
    primary key (rule_id, src_inst_code, period_code)
);
comment on table quality.first_assessed is '指标值首次评估时是多少：评分卡 D06（修订幅度）以它为基准，不清理';
comment on column quality.first_assessed.rule_id is '可信度检查中的年度变化检查，即指标口径';
comment on column quality.first_assessed.run_id is '首次评估的运行';

-- A warehouse that was assessed before this table was there: once, from the history that it has.
insert into quality.first_assessed
select distinct on (c.rule_id, c.src_inst_code, c.period_code)
    c.rule_id, c.src_inst_code, c.period_code, c.run_id, c.observed
from quality.credibility as c
inner join ops.run as r on c.run_id = r.run_id
where not exists (select 1 from quality.first_assessed)
    and c.rule_id like 'QR.indicator.%.11' and c.observed is not null
order by c.rule_id, c.src_inst_code, c.period_code, r.started_at;

create table if not exists quality.scorecard (
    run_id text not null,
    as_of date not null,
    src_inst_code text not null,
    entity text not null,
    period text not null,
    dimension text not null,
    numerator double precision,
    denominator double precision,
    value double precision,
    target double precision,
    grade text check (grade in ('A', 'B', 'C', 'D', 'NCID')),
    primary key (run_id, src_inst_code, entity, dimension)
);
comment on table quality.scorecard is '数据质量评分卡 D01–D11，按单位（全市为城市代码）、实体（空串为全部）和统计月份；D11 是各项中最弱的一级';

create table if not exists quality.indicator_confidence (
    run_id text not null,
    variant_code text not null,
    unit_code text not null,
    grade text not null check (grade in ('A', 'B', 'C', 'D', 'NCID')),
    weakest_entity text,
    weakest_dimension text,
    primary key (run_id, variant_code, unit_code)
);
comment on table quality.indicator_confidence is '每个指标口径、每个单位（含全市）的数据可信等级，取其来源实体中最弱的一级';

create table if not exists quality.thinning (
    thinning_id bigint generated always as identity primary key,
    table_name text not null,
    run_id text not null,
    as_of date not null,
    rows bigint not null check (rows > 0),
    policy text not null,
    thinned_run_id text not null,
    recorded_at timestamptz not null default clock_timestamp()
);
comment on table quality.thinning is '清理记录：哪张表、哪次运行的结果被清理了多少行、依据什么、由哪次运行清理；只追加。逐行问题、隔离、问题、豁免、暂缓不清理';
comment on column quality.thinning.table_name is 'result、credibility、scorecard 或 indicator_confidence';
comment on column quality.thinning.run_id is '其结果被清理的运行；同一月份有更晚的结果保留';
comment on column quality.thinning.as_of is '该运行的统计日期';
comment on column quality.thinning.rows is '清理的行数';
comment on column quality.thinning.policy is '清理所依据的保留规定（yuyan/quality/retention.py）';
comment on column quality.thinning.thinned_run_id is '执行清理的运行';
