-- Early warning and accountability: signals, what they were worth, cases, the figures of each step, what must follow.
create schema if not exists accountability;
comment on schema accountability is
'预警与问责：信号、回测、问责事项、每一步所依据的数、须落实的事项；含涉及个人的理由（学术不端），只由 case_officer 等受限账号读取';

create table accountability.warning_signal (
    target_kind text not null check (target_kind in ('DP', 'INST')),
    target_code text not null,
    inst_code text not null,
    rule_code text not null,
    signal_code text not null,
    period_year int not null,
    is_current boolean not null,
    is_restricted boolean not null,
    pillar_code text,
    source_variant text,
    numerator double precision,
    denominator double precision,
    value double precision,
    lcl95 double precision,
    ucl95 double precision,
    benchmark double precision,
    standardised double precision,
    contribution double precision,
    probability double precision,
    q_value double precision,
    level_code text not null check (level_code in ('GREEN', 'AMBER', 'RED', 'STATUTORY', 'GREY', 'NCID')),
    reason_zh text not null,
    parameter_version text not null,
    rule_version int not null,
    run_id text not null,
    as_of date not null,
    primary key (target_kind, target_code, rule_code, signal_code, period_year, is_restricted)
);
comment on table accountability.warning_signal is
'预警信号：每个对象、规则、分项、年度一行；分项 ALL 是规则的结论，其余是它的构成；每次运行整表重算。预警是查看的理由，不是结论';
comment on column accountability.warning_signal.target_kind is '对象类别：DP 学位点、INST 单位';
comment on column accountability.warning_signal.rule_code is '规则：W01 法定触发、W02 统计预警、W03 风险指数、W04 单位、W05 基准差距';
comment on column accountability.warning_signal.signal_code is '分项；ALL 为规则的结论';
comment on column accountability.warning_signal.is_current is '是否该规则最近一个可判断的年度';
comment on column accountability.warning_signal.is_restricted is '是否涉及个人（学术不端），只在本模式中';
comment on column accountability.warning_signal.pillar_code is '风险指数的方面';
comment on column accountability.warning_signal.source_variant is '来源指标口径或事实表';
comment on column accountability.warning_signal.standardised is '同类中的标准分，向组均值收缩，正值为较差';
comment on column accountability.warning_signal.contribution is '对风险指数的贡献，各分项之和为指数';
comment on column accountability.warning_signal.probability is '规则所述不利情形的概率';
comment on column accountability.warning_signal.q_value is 'Benjamini–Hochberg q 值：同一规则、同一年度的全部受判对象';
comment on column accountability.warning_signal.level_code is '等级：STATUTORY 法定触发；GREY 案例不足；NCID 数据不可信，不判断';
comment on column accountability.warning_signal.parameter_version is '参数版本（plan.warning_parameter）';
create index warning_signal_current on accountability.warning_signal (target_kind, target_code) where is_current;

create table accountability.warning_calibration (
    rule_code text not null,
    alarm_year int not null,
    judged int not null,
    alarms int not null,
    expected_false_alarms double precision,
    followed int,
    problems int,
    positive_predictive_value double precision,
    false_alarm_rate double precision,
    detection double precision,
    parameter_version text not null,
    run_id text not null,
    primary key (rule_code, alarm_year)
);
comment on table accountability.warning_calibration is
'回测（W07、W08）：某年的警报与下一年的问题对照，和仅凭偶然预期的误报数；每次运行整表重算';
comment on column accountability.warning_calibration.judged is '受判的学位点数';
comment on column accountability.warning_calibration.alarms is 'AMBER 与 RED 的个数';
comment on column accountability.warning_calibration.expected_false_alarms is '预期的误报数';
comment on column accountability.warning_calibration.followed is '警报中下一年有问题的；下一年尚无数据的为空';
comment on column accountability.warning_calibration.problems is '受判且下一年受检的学位点中，下一年有问题的';
comment on column accountability.warning_calibration.positive_predictive_value is '警报的命中率';
comment on column accountability.warning_calibration.false_alarm_rate is '下一年没有问题的学位点中被警报的比例';
comment on column accountability.warning_calibration.detection is '下一年有问题的学位点中被警报的比例';

create table accountability.case_file (
    case_id bigint generated always as identity primary key,
    target_kind text not null check (target_kind in ('DP', 'INST')),
    target_code text not null,
    src_inst_code text not null,
    is_restricted boolean not null,
    state text not null check (
        state in (
            'normal', 'watched', 'warned', 'rectifying', 'rechecking', 'interviewed', 'quota_cut', 'restricted', 'suspended',
            'revocation_proposed', 'lifted', 'dismissed'
        )
    ),
    level_code text not null,
    rule_codes text[] not null,
    opened_on date not null,
    entered_on date not null,
    decided_year int,
    proposed_action text,
    proposed_on date,
    intended_action text,
    statement_until date,
    stated_on date,
    rectify_by date,
    reported_on date,
    corrected_on date,
    escalated_on date,
    opened_run_id text not null,
    last_run_id text not null
);
comment on table accountability.case_file is '问责事项：一个对象（学位点或单位）从立案到解除；状态与步骤见 plan.case_transition。系统只提建议，状态由人员决定并签署';
comment on column accountability.case_file.src_inst_code is '所属单位';
comment on column accountability.case_file.is_restricted is '是否因涉及个人的理由（学术不端）立案';
comment on column accountability.case_file.level_code is '最近一次运行时的最高等级';
comment on column accountability.case_file.rule_codes is '最近一次运行时有警报的规则';
comment on column accountability.case_file.entered_on is '进入现状态之日';
comment on column accountability.case_file.decided_year is '最近一次决定所依据的最新年度';
comment on column accountability.case_file.proposed_action is '系统建议的下一步；为空则没有建议';
comment on column accountability.case_file.intended_action is '已告知单位、拟作出的决定';
comment on column accountability.case_file.statement_until is '陈述期的最后一天';
comment on column accountability.case_file.stated_on is '单位陈述之日';
comment on column accountability.case_file.rectify_by is '整改期的最后一天';
comment on column accountability.case_file.reported_on is '提交整改报告之日';
comment on column accountability.case_file.corrected_on is '“基于的数据已更正”之日：决定所依据的数后来有更正；事项不因此自动重开，下一次决定后清空';
comment on column accountability.case_file.escalated_on is '逾期升级之日';
create unique index case_file_open on accountability.case_file (target_kind, target_code, is_restricted)
where state not in ('lifted', 'dismissed', 'revocation_proposed');

create table accountability.case_record (
    event_id bigint primary key,
    case_id bigint not null references accountability.case_file,
    action text not null,
    as_of date not null,
    signal_run_id text,
    rule_version int,
    parameter_version text,
    figures jsonb not null,
    role_name text,
    document_no text,
    statement_until date,
    stated_on date,
    statement text,
    reason text not null
);
comment on table accountability.case_record is
'问责事项每一步的依据，只追加：当时的数与区间（冻结）、规则与参数版本、单位的陈述、决定人的职务与文号、理由；步骤本身在 quality.life_cycle_event';
comment on column accountability.case_record.event_id is 'quality.life_cycle_event 的编号';
comment on column accountability.case_record.signal_run_id is '当时的数出自哪一次运行（快照）';
comment on column accountability.case_record.figures is '当时该对象的全部信号：规则、分项、年度、分子、分母、值、95%区间、概率、等级';
comment on column accountability.case_record.role_name is '作出决定的职务';
comment on column accountability.case_record.document_no is '文号';
comment on column accountability.case_record.statement is '单位的陈述；期满未陈述的为空';
create index case_record_case on accountability.case_record (case_id, event_id);

create table accountability.case_effect (
    event_id bigint primary key references accountability.case_record,
    case_id bigint not null references accountability.case_file,
    effect_code text not null check (effect_code in ('QUOTA', 'NO_NEW', 'SUSPENSION', 'REVOCATION')),
    decided_on date not null,
    effect_year int not null,
    quota_cut int,
    quota_before int,
    quota_after int,
    state text not null check (state in ('waiting', 'done', 'missed')),
    checked_on date not null,
    finding_zh text not null
);
comment on table accountability.case_effect is
'决定须在数据中落实的事项：QUOTA 核减见于下一年度招生计划、NO_NEW 不新增学位点、SUSPENSION 与 REVOCATION 见于学位点变动；决定了而未落实的立为问题';
comment on column accountability.case_effect.quota_before is '决定年度之前的招生计划数';
comment on column accountability.case_effect.quota_after is '生效年度的招生计划数；尚未下达的为空';
comment on column accountability.case_effect.state is 'waiting 未到期，done 已落实，missed 未落实';

comment on column quality.life_cycle_event.life_cycle is '哪一种事项：problem 问题、override 豁免、hold 暂缓、case 问责事项';
comment on column quality.life_cycle_event.subject_id is '事项的编号（problem_id、override_id、hold_id、case_id）';
