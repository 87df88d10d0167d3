-- What statistics say of indicator values. Filled anew by yuyan.estimate.run.
create schema if not exists estimates;
comment on schema estimates is '估计层：指标值的置信区间、调整值、基准、统计判定、2030年预测，由估计阶段在指标层之后写入';

-- A table of an earlier shape is made anew; the next run fills it.
do $$
begin
    if to_regclass('estimates.indicator_estimate') is not null and not exists (
        select 1 from information_schema.columns
        where table_schema = 'estimates' and table_name = 'indicator_estimate' and column_name = 'pooled_years'
    ) then
        drop table estimates.indicator_estimate;
    end if;
end
$$;

create table if not exists estimates.indicator_estimate (
    variant_code text not null,
    grain text not null,
    unit_code text not null,
    period_code text not null,
    estimator text check (estimator in ('JEFFREYS', 'STRATIFIED', 'CLUSTERED', 'WEIGHTED')),
    lcl95 double precision,
    ucl95 double precision,
    adjusted_value double precision,
    benchmark_value double precision,
    benchmark_error double precision,
    benchmark_own_share double precision,
    probability_below double precision,
    probability_decline double precision,
    status_code text check (status_code in ('GREEN', 'AMBER', 'RED', 'GREY')),
    status_reason_code text,
    pooled_years int,
    projected_2030 double precision,
    projected_lcl80 double precision,
    projected_ucl80 double precision,
    required_pace double precision,
    primary key (variant_code, grain, unit_code, period_code),
    check (lcl95 <= ucl95),
    check (projected_lcl80 <= projected_2030 and projected_2030 <= projected_ucl80)
);
comment on table estimates.indicator_estimate is
'每个口径、层级、单位、期间一行，只有可估计的：95%区间、调整值、同类基准、统计判定、全市序列的2030年预测与所需年变化；每次运行整表重算，数据相同则结果相同';
comment on column estimates.indicator_estimate.variant_code is '口径代码';
comment on column estimates.indicator_estimate.grain is '层级，如 city 全市、institution 单位、degree_point 学位点';
comment on column estimates.indicator_estimate.unit_code is '层级内的代码：全市 500000，单位为五位代码';
comment on column estimates.indicator_estimate.period_code is '期间代码';
comment on column estimates.indicator_estimate.estimator is
'区间的算法：JEFFREYS 计数比例；STRATIFIED 分层抽样（H09 及分项）；CLUSTERED 以课程或答卷为整群；WEIGHTED 加权调查按有效样本量；没有区间时为空';
comment on column estimates.indicator_estimate.lcl95 is '95%区间下限';
comment on column estimates.indicator_estimate.ucl95 is '95%区间上限';
comment on column estimates.indicator_estimate.adjusted_value is
'调整后的值：满意度按开课单位与课程类别事后分层，留渝就业按生源地标准化（两者均与原值同单位）';
comment on column estimates.indicator_estimate.benchmark_value is '同类基准：按层次 × 类型 × 学科门类，以全市各层合格率计算的本单位期望值（间接标准化）';
comment on column estimates.indicator_estimate.benchmark_error is '本单位值与基准之差的标准误';
comment on column estimates.indicator_estimate.benchmark_own_share is '基准中本单位自身数据所占的份额；接近1表示主要是与自己比较';
comment on column estimates.indicator_estimate.probability_below is '真实比例低于判定界限的概率：全市 H09 为底线，单位与学位点为登记的底线或基准减容差';
comment on column estimates.indicator_estimate.probability_decline is '真实值比上期下降的概率（趋势类）';
comment on column estimates.indicator_estimate.status_code is '按统计规则判定的状态；为空时以路径规则为准';
comment on column estimates.indicator_estimate.status_reason_code is '不判定的原因，如 SMALL-N';
comment on column estimates.indicator_estimate.pooled_years is '判定所合并的年数';
comment on column estimates.indicator_estimate.projected_2030 is '按截至本期的最近五年直线外推到2030年的值；不足四个完整期间时为空';
comment on column estimates.indicator_estimate.projected_lcl80 is '2030年预测值的80%区间下限';
comment on column estimates.indicator_estimate.projected_ucl80 is '2030年预测值的80%区间上限';
comment on column estimates.indicator_estimate.required_pace is
'从本期的值到目标，每年还需的变化（与指标同单位）；已达标为0；底线类、趋势类目标没有';

create table if not exists estimates.rate_warning (
    variant_code text not null,
    grain text not null,
    unit_code text not null,
    period_code text not null,
    pooled_years int not null,
    prior_group text not null,
    sound double precision not null,
    cases double precision not null,
    prior_mean double precision not null,
    prior_strength double precision not null,
    shrunk_value double precision,
    lcl95 double precision,
    ucl95 double precision,
    floor_value double precision not null,
    probability_below double precision,
    q_value double precision,
    status_code text not null check (status_code in ('GREEN', 'AMBER', 'RED', 'GREY')),
    primary key (variant_code, grain, unit_code, period_code, pooled_years)
);
comment on table estimates.rate_warning is
'比例的统计预警（W02）：3年、5年合并，经验贝叶斯收缩（先验按层次 × 学科门类拟合），真实比例低于底线的概率与 q 值。预警是查看的理由，不是结论';
comment on column estimates.rate_warning.variant_code is '口径代码';
comment on column estimates.rate_warning.grain is '层级：institution 单位、degree_point 学位点';
comment on column estimates.rate_warning.unit_code is '单位或学位点代码';
comment on column estimates.rate_warning.period_code is '合并窗口的最后一年';
comment on column estimates.rate_warning.pooled_years is '合并的年数：3 或 5';
comment on column estimates.rate_warning.prior_group is '拟合先验的组：层次-学科门类；单位层面为 city';
comment on column estimates.rate_warning.sound is '合并的合格数';
comment on column estimates.rate_warning.cases is '合并的总数';
comment on column estimates.rate_warning.prior_mean is '先验的平均比例';
comment on column estimates.rate_warning.prior_strength is '先验相当于多少个案例';
comment on column estimates.rate_warning.shrunk_value is '收缩后的比例（后验均值）';
comment on column estimates.rate_warning.lcl95 is '本单位计数的 Jeffreys 95%区间下限';
comment on column estimates.rate_warning.ucl95 is '本单位计数的 Jeffreys 95%区间上限';
comment on column estimates.rate_warning.floor_value is '底线';
comment on column estimates.rate_warning.probability_below is '真实比例低于底线的概率';
comment on column estimates.rate_warning.q_value is 'Benjamini–Hochberg q 值：在同一层级、同一窗口的全部受判单位中校正多重比较';
comment on column estimates.rate_warning.status_code is 'RED、AMBER 须至少有一例不合格；GREY 案例不足';

create table if not exists estimates.composite (
    indicator_code text not null,
    period_year int not null,
    value double precision not null,
    change double precision,
    change_lcl90 double precision,
    change_ucl90 double precision,
    direction text check (direction in ('UP', 'DOWN', 'UNCERTAIN')),
    components jsonb not null,
    primary key (indicator_code, period_year)
);
comment on table estimates.composite is
'综合指标（H16 研究生培养质量）：各分项相对基期的变化除以单位间标准差后的加权平均；只公布变化的方向与区间，不设目标';
comment on column estimates.composite.indicator_code is '指标代码';
comment on column estimates.composite.period_year is '年份（学年为开始年）';
comment on column estimates.composite.value is '综合值，基期为0，单位为单位间标准差';
comment on column estimates.composite.change is '较上年的变化';
comment on column estimates.composite.change_lcl90 is '变化的90%区间下限（蒙特卡洛）';
comment on column estimates.composite.change_ucl90 is '变化的90%区间上限';
comment on column estimates.composite.direction is 'UP 上升；DOWN 下降；UNCERTAIN 区间含0，不能判断';
comment on column estimates.composite.components is '各分项的口径、权重、数值与标准误';

create table if not exists estimates.feasibility (
    series_code text not null,
    from_year int not null,
    to_year int not null,
    name_zh text not null,
    unit_zh text not null,
    from_level double precision not null,
    to_level double precision not null,
    required_pace double precision not null,
    pace_ratio double precision,
    straight_level double precision not null,
    is_alarm boolean not null,
    primary key (series_code, from_year)
);
comment on table estimates.feasibility is
'方案对同一事项分期要求的速度：后一期须比前一期快一倍以上的，若无说明则不可信（警报）。与实际数据无关，只检查目标本身';
comment on column estimates.feasibility.series_code is '事项代码：指标或清单项目';
comment on column estimates.feasibility.from_year is '本期起点（年末）';
comment on column estimates.feasibility.to_year is '本期终点（年末）';
comment on column estimates.feasibility.name_zh is '名称';
comment on column estimates.feasibility.unit_zh is '单位';
comment on column estimates.feasibility.from_level is '起点水平';
comment on column estimates.feasibility.to_level is '终点水平';
comment on column estimates.feasibility.required_pace is '本期每年须增加多少';
comment on column estimates.feasibility.pace_ratio is '本期速度与前一期之比；第一期为空';
comment on column estimates.feasibility.straight_level is '从起点直线到最后一期，本期终点应有的水平';
comment on column estimates.feasibility.is_alarm is '是否须在前一期的一倍以上';
