-- Intervals, projections and required pace of indicator values. Idempotent; filled by yuyan.estimate.run.
create schema if not exists estimates;
comment on schema estimates is '估计层：指标值的置信区间、2030年预测与所需年变化，由估计阶段在指标层之后写入';

create table if not exists estimates.indicator_estimate (
    variant_code text not null,
    grain text not null,
    unit_code text not null,
    period_code text not null,
    estimator text check (estimator in ('JEFFREYS', 'STRATIFIED')),
    lcl95 double precision,
    ucl95 double precision,
    projected_2030 double precision,
    projected_lcl80 double precision,
    projected_ucl80 double precision,
    required_pace double precision,
    primary key (variant_code, grain, unit_code, period_code),
    check (lcl95 <= ucl95),
    check (projected_lcl80 <= projected_2030 and projected_2030 <= projected_ucl80)
);
comment on table estimates.indicator_estimate is
'每个口径、单位、期间一行，只有可估计的。比例的95%区间、全市序列的2030年预测（80%区间）与达标所需年变化；每次运行整表重算，数据相同则结果相同';
comment on column estimates.indicator_estimate.variant_code is '口径代码';
comment on column estimates.indicator_estimate.grain is '层级：city 全市、institution 单位';
comment on column estimates.indicator_estimate.unit_code is '全市 500000，单位为五位代码';
comment on column estimates.indicator_estimate.period_code is '期间代码';
comment on column estimates.indicator_estimate.estimator is
'区间的算法：JEFFREYS 计数比例的 Jeffreys 区间；STRATIFIED 分层抽样估计（H09 及其分项）；没有区间时为空';
comment on column estimates.indicator_estimate.lcl95 is '95%区间下限';
comment on column estimates.indicator_estimate.ucl95 is '95%区间上限';
comment on column estimates.indicator_estimate.projected_2030 is '按截至本期的最近五年直线外推到2030年的值；不足四个完整期间时为空';
comment on column estimates.indicator_estimate.projected_lcl80 is '2030年预测值的80%区间下限';
comment on column estimates.indicator_estimate.projected_ucl80 is '2030年预测值的80%区间上限';
comment on column estimates.indicator_estimate.required_pace is
'从本期的值到目标，每年还需的变化（与指标同单位）；已达标为0；底线类、趋势类目标没有';
