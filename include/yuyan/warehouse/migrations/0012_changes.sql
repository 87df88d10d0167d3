-- What changed in the indicators since the publication before, and why. Written by yuyan.changes.run.
create schema changes;
comment on schema changes is '变化说明：每次发布与上一次相比，各指标值的差额按原因分解，由变化阶段写入';

create table changes.publication (
    publication_no bigint generated always as identity primary key,
    run_id text not null,
    as_of date not null,
    definition_digest text not null,
    plan_digest text not null,
    published_at timestamptz not null default clock_timestamp()
);
comment on table changes.publication is '每次发布（集市建成）一行；上一次发布的状态在 schema previous，只留一代';
comment on column changes.publication.definition_digest is '指标口径（模型、参考数据、参数）的摘要';
comment on column changes.publication.plan_digest is '方案目标与路径的摘要';

create table changes.cell (
    publication_no bigint not null,
    run_id text not null,
    as_of date not null,
    variant_code text not null,
    definition_version int not null,
    grain text not null,
    unit_code text not null,
    period_code text not null,
    is_period_new boolean,
    numerator_before double precision,
    numerator_after double precision,
    denominator_before double precision,
    denominator_after double precision,
    value_before double precision,
    value_after double precision,
    target_before double precision,
    target_after double precision,
    is_plan_changed boolean not null,
    primary key (publication_no, variant_code, definition_version, grain, unit_code, period_code)
);
create index cell_as_of on changes.cell (as_of);
comment on table changes.cell is '与上一次发布（publication_no）相比有变化的指标值，每次运行、每个口径、层级、单位、期间一行';
comment on column changes.cell.publication_no is '与哪一次发布相比';
comment on column changes.cell.is_period_new is '期间在上一次发布时尚未开始';
comment on column changes.cell.is_plan_changed is '方案的目标或路径与上一次发布时不同';

create table changes.part (
    publication_no bigint not null,
    variant_code text not null,
    definition_version int not null,
    grain text not null,
    unit_code text not null,
    period_code text not null,
    cause int not null check (cause between 0 and 6),
    numerator double precision not null,
    denominator double precision not null,
    primary key (publication_no, variant_code, definition_version, grain, unit_code, period_code, cause),
    foreign key (publication_no, variant_code, definition_version, grain, unit_code, period_code)
        references changes.cell on delete cascade
);
comment on table changes.part is '分子、分母的差额按原因分解；各原因之和等于差额';
comment on column changes.part.cause is '原因的次序（种子 change_cause）：0 口径，1 更正，2 新增，3 删除，4 隔离或放行，5 日期推移，6 未能归因';

create table changes.record_count (
    publication_no bigint not null,
    as_of date not null,
    entity text not null,
    src_inst_code text not null,
    cause int not null,
    record_count bigint not null,
    primary key (publication_no, entity, src_inst_code, cause)
);
comment on table changes.record_count is '与上一次发布相比，已接收记录的变化，每个实体、报送单位、原因的条数';
