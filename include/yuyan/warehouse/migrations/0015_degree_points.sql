-- Scores of degree points and what they are made of. Filled anew by yuyan.estimate.run; docs/degree-points.md.
create table estimates.point_score (
    degree_point_id text not null,
    monitor_year int not null,
    dimension_code text not null,
    peer_group_code text not null,
    peer_count int not null,
    score_state_code text not null check (score_state_code in ('SCORED', 'THIN', 'EXCLUDED')),
    score double precision,
    lcl80 double precision,
    ucl80 double precision,
    evidence_share double precision,
    primary key (degree_point_id, monitor_year, dimension_code),
    check (lcl80 <= score and score <= ucl80),
    check ((score is not null) = (score_state_code = 'SCORED'))
);
comment on table estimates.point_score is
'学位点评分：每个在授学位点、年、维度一行，50 为与同类相当，10 为一个离散度；每次运行整表重算，数据相同则结果相同';
comment on column estimates.point_score.degree_point_id is '学位点编号';
comment on column estimates.point_score.monitor_year is '监测年';
comment on column estimates.point_score.dimension_code is '维度代码（种子 point_dimension）';
comment on column estimates.point_score.peer_group_code is
'同类：层次-类型-门类；不足10个时为层次-A（应用类）或层次-B（基础与人文），再不足时为层次';
comment on column estimates.point_score.peer_count is '同类中当年在授的学位点数，含本学位点';
comment on column estimates.point_score.score_state_code is 'SCORED 已评分、THIN 证据不足、EXCLUDED 不适用（基础与人文学科不评适配度）';
comment on column estimates.point_score.score is '评分；没有评分的为空';
comment on column estimates.point_score.lcl80 is '评分的80%区间下限';
comment on column estimates.point_score.ucl80 is '评分的80%区间上限';
comment on column estimates.point_score.evidence_share is '有证据的分项权重占全部权重的比例（0–1）；不适用的为空';

create table estimates.point_signal (
    degree_point_id text not null,
    monitor_year int not null,
    component_code text not null,
    peer_group_code text not null,
    evidence_code text not null check (evidence_code in ('EVIDENCE', 'FEW', 'NO-RECORDS', 'NO-PEERS', 'NO-SOURCE')),
    evidence_end_on date,
    value double precision,
    cases double precision,
    benchmark_value double precision,
    benchmark_own_share double precision,
    benchmark_error double precision,
    compared_count int,
    peer_spread double precision,
    own_weight double precision,
    position double precision,
    contribution double precision,
    direction_code text check (direction_code in ('ABOVE', 'NEAR', 'BELOW')),
    primary key (degree_point_id, monitor_year, component_code)
);
comment on table estimates.point_signal is
'学位点评分的分项：每个在授学位点、年、适用的分项一行，没有证据的也有，并写明为什么；算法见 docs/degree-points.md';
comment on column estimates.point_signal.degree_point_id is '学位点编号';
comment on column estimates.point_signal.monitor_year is '监测年';
comment on column estimates.point_signal.component_code is '分项代码（种子 point_component）';
comment on column estimates.point_signal.peer_group_code is '同类，同 point_score';
comment on column estimates.point_signal.evidence_code is
'EVIDENCE 有证据、FEW 例数不足、NO-RECORDS 没有记录、NO-PEERS 可比的同类不足、NO-SOURCE 没有来源';
comment on column estimates.point_signal.evidence_end_on is '证据截至的日期（所合并期间的最后一天）';
comment on column estimates.point_signal.value is '合并各年的值：分子合计 ÷ 分母合计';
comment on column estimates.point_signal.cases is '合并各年的分母（例数、导师人年、应有学生数）';
comment on column estimates.point_signal.benchmark_value is '同类基准：本学位点各年的例数按同类当年的比率计算的期望值（间接标准化）';
comment on column estimates.point_signal.benchmark_own_share is '基准中本学位点自身数据所占的份额；接近1表示主要是与自己比较';
comment on column estimates.point_signal.benchmark_error is '偶然造成的标准误';
comment on column estimates.point_signal.compared_count is '有证据的同类数，含本学位点';
comment on column estimates.point_signal.peer_spread is '同类之间偶然以外的离散度（标准差）';
comment on column estimates.point_signal.own_weight is '本学位点自身证据的权重（0–1），其余向同类收缩';
comment on column estimates.point_signal.position is '位置：收缩后的差距 ÷ 离散度，限于 ±3';
comment on column estimates.point_signal.contribution is '对评分的贡献（分），各分项合计为评分 − 50；没有评分的为空';
comment on column estimates.point_signal.direction_code is '80%把握高于同类 ABOVE、低于同类 BELOW，否则 NEAR';
