-- Runs of resource allocation and of quota scenarios, written by yuyan.allocate. Append-only: a run is known by its digest.
create schema if not exists allocation;
comment on schema allocation is '资源配置：签认、配置运行及其各步结果、招生计划情景；只增不改，编号由方案与数据的摘要得出';

create table if not exists allocation.sign_off (
    sign_off_id bigint generated always as identity primary key,
    data_digest text not null,
    scheme text not null,
    as_of date not null,
    value_count int not null,
    action text not null check (action in ('signed', 'withdrawn')),
    actor text not null,
    reason text not null,
    recorded_at timestamptz not null default clock_timestamp()
);
comment on table allocation.sign_off is '签认：市教委账号对一个方案所用数据（摘要）的签认与撤回；同一摘要以最后一行为准，数据改变则摘要改变，须重新签认';

create table if not exists allocation.run (
    allocation_id text primary key,
    scheme text not null,
    scheme_version int not null,
    title_zh text not null,
    scheme_digest text not null,
    data_digest text not null,
    result_digest text not null,
    method_version int not null,
    sign_off_id bigint not null references allocation.sign_off,
    as_of date not null,
    budget_cny bigint not null,
    last_total_cny bigint not null,
    institution_count int not null,
    draw_count int not null,
    scheme_content json not null,
    excluded jsonb not null,
    recorded_at timestamptz not null default clock_timestamp()
);
comment on table allocation.run is '一次配置运行：方案、数据与结果的摘要；编号由方案、数据与算法版本得出，同样的输入得到同一次运行';

create table if not exists allocation.score (
    allocation_id text not null references allocation.run,
    inst_code text not null,
    inst_name text not null,
    component_kind text not null check (component_kind in ('indicator', 'pillar', 'total')),
    component_code text not null,
    component_zh text not null,
    pillar_code text,
    period_code text,
    confidence_grade text,
    published_value double precision,
    used_value double precision,
    use_code text,
    score double precision,
    weight double precision not null,
    own_weight double precision not null,
    points double precision not null,
    yuan_per_ten_points double precision,
    primary key (allocation_id, inst_code, component_kind, component_code)
);
comment on table allocation.score is '得分：每个单位的每个指标、方面和总分';

create table if not exists allocation.result (
    allocation_id text not null references allocation.run,
    inst_code text not null,
    inst_name text not null,
    peer_group_zh text,
    size double precision not null,
    score double precision not null,
    score_rank int not null,
    z double precision not null,
    last_cny bigint,
    base_cny double precision not null,
    performance_cny double precision not null,
    unclamped_cny double precision not null,
    lower_cny double precision,
    upper_cny double precision,
    clamped_cny double precision not null,
    bound_code text check (bound_code in ('FLOOR', 'CAP')),
    reference_cny double precision not null,
    received_cny double precision not null,
    paid_cny double precision not null,
    grant_cny bigint not null,
    change_cny bigint,
    change_share double precision,
    wrong_numbers text not null,
    wrong_numbers_cny double precision not null,
    primary key (allocation_id, inst_code)
);
comment on table allocation.result is '拨款：每个单位从规模与绩效到整元拨款的每一步（元）';

create table if not exists allocation.clamp_round (
    allocation_id text not null references allocation.run,
    round_no int not null,
    inst_code text not null,
    factor double precision not null,
    amount_cny double precision not null,
    bound_code text check (bound_code in ('FLOOR', 'CAP')),
    primary key (allocation_id, round_no, inst_code)
);
comment on table allocation.clamp_round is '上下限的逐轮计算：每一轮的系数、金额和已固定在下限或上限的单位';

create table if not exists allocation.transfer (
    allocation_id text not null references allocation.run,
    step_code text not null check (step_code in ('BOUNDS', 'HOLD_HARMLESS')),
    payer_code text not null,
    payer_name text not null,
    receiver_code text not null,
    receiver_name text not null,
    amount_cny double precision not null,
    primary key (allocation_id, step_code, payer_code, receiver_code)
);
comment on table allocation.transfer is '谁为谁的下限或过渡补偿付出多少（元）';

create table if not exists allocation.robustness (
    allocation_id text not null references allocation.run,
    inst_code text not null,
    inst_name text not null,
    score_rank int not null,
    median_rank double precision not null,
    rank_low int not null,
    rank_high int not null,
    score_low double precision not null,
    score_high double precision not null,
    grant_low_cny double precision not null,
    grant_high_cny double precision not null,
    tied_count int not null,
    tied_with text not null,
    primary key (allocation_id, inst_code)
);
comment on table allocation.robustness is '稳健性：各项假设同时变动时每个单位名次、得分和拨款的范围';

create table if not exists allocation.pair (
    allocation_id text not null references allocation.run,
    inst_code text not null,
    other_code text not null,
    ahead_share double precision not null,
    is_tied boolean not null,
    primary key (allocation_id, inst_code, other_code)
);
comment on table allocation.pair is '两两比较：一个单位名次在另一单位之前的概率；区间重叠为并列';

create table if not exists allocation.sensitivity (
    allocation_id text not null references allocation.run,
    unit_code text not null,
    assumption_code text not null,
    first_order double precision not null,
    first_order_error double precision not null,
    total double precision not null,
    total_error double precision not null,
    primary key (allocation_id, unit_code, assumption_code)
);
comment on table allocation.sensitivity is '敏感性：每项假设解释名次方差的份额（一阶与总效应 Sobol 指数）';

create table if not exists allocation.weight (
    allocation_id text not null references allocation.run,
    component_code text not null,
    component_zh text not null,
    nominal_weight double precision not null,
    effective_weight double precision not null,
    rank_shift double precision not null,
    entropy_weight double precision not null,
    primary key (allocation_id, component_code)
);
comment on table allocation.weight is '权重审计：名义权重与有效权重、去掉该指标后名次的平均变动、熵权（仅供参考）';

create table if not exists allocation.influence (
    allocation_id text not null references allocation.run,
    record_no int not null,
    inst_code text not null,
    component_code text not null,
    record_kind text not null check (record_kind in ('numerator', 'denominator')),
    record_id text not null,
    record_count int not null,
    grant_change_cny double precision not null,
    grant_change_share double precision not null,
    primary key (allocation_id, record_no)
);
comment on table allocation.influence is '单条记录的影响：去掉它会使本单位拨款变动超过方案所定份额的记录，影响大的在前';
comment on column allocation.influence.record_id is '记录编号，影响相同的列前几个；可能是学生或论文的编号，所以集市和报告中没有';

create table if not exists allocation.efficiency (
    allocation_id text not null references allocation.run,
    inst_code text not null,
    inst_name text not null,
    group_code text not null,
    group_zh text not null,
    group_count int not null,
    score double precision,
    corrected double precision,
    lcl95 double precision,
    ucl95 double precision,
    note_zh text,
    primary key (allocation_id, inst_code)
);
comment on table allocation.efficiency is '投入产出效率（DEA，投入导向，规模报酬可变）：只供诊断，不乘入拨款';

create table if not exists allocation.quota_run (
    scenario_id text primary key,
    as_of date not null,
    moves jsonb not null,
    assumptions jsonb not null,
    draw_count int not null,
    result_digest text not null,
    recorded_at timestamptz not null default clock_timestamp()
);
comment on table allocation.quota_run is '招生计划情景：移动了哪些计划数、用了哪些假设';

create table if not exists allocation.quota_scenario (
    scenario_id text not null references allocation.quota_run,
    measure_code text not null,
    item_code text not null,
    year int not null,
    baseline double precision not null,
    baseline_low double precision not null,
    baseline_high double precision not null,
    scenario double precision not null,
    scenario_low double precision not null,
    scenario_high double precision not null,
    difference double precision not null,
    difference_low double precision not null,
    difference_high double precision not null,
    primary key (scenario_id, measure_code, item_code, year)
);
comment on table allocation.quota_scenario is '招生计划情景的结果：每个量、每年，不移动与移动后的中位数和90%区间，以及两者之差';

-- A run is what was published: nobody changes it, not even by accident.
create or replace function allocation.refuse() returns trigger language plpgsql as $$
begin
    raise exception '% 只增不改：配置运行一经写入不得修改或删除；数据或方案变了，就产生新的运行', tg_table_name;
end
$$;

do $$
declare
    one record;
begin
    for one in select tablename from pg_tables where schemaname = 'allocation' loop
        execute format(
            'create or replace trigger immutable before update or delete or truncate on allocation.%I '
            'for each statement execute function allocation.refuse()', one.tablename
        );
    end loop;
end
$$;
