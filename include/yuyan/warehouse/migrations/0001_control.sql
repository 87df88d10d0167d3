-- Control tables of the line: what each run, batch and model did (ops). What the rules found is in quality.sql.
-- Raw tables are not here; they follow from the contracts (ddl.py).

create schema if not exists raw;
create schema if not exists ops;
create schema if not exists accepted;
create schema if not exists latest;
comment on schema raw is '原始层：各单位报送记录的全部版本，文本列，只追加';
comment on schema ops is '运行记录：运行、批次、水位线、对账、模型结果';
comment on schema accepted is '接收层：每条记录最后一个通过校验的版本，已转换类型，由校验阶段维护';
comment on schema latest is '每条记录的最新版本（不论是否判定、是否隔离），已转换类型，供人工核查';

create table if not exists ops.run (
    run_id text primary key,
    kind text not null check (kind in ('collect', 'warehouse', 'replay')),
    as_of date not null,
    state text not null default 'running' check (state in ('running', 'success', 'failed')),
    started_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz
);
comment on table ops.run is '一次运行；as_of 是统计日期（Asia/Shanghai），所有模型和规则以它为“今天”';

create table if not exists ops.stage_result (
    run_id text not null,
    stage text not null,
    seconds numeric(12, 3) not null,
    detail jsonb not null default '{}',
    primary key (run_id, stage)
);
comment on table ops.stage_result is '每次运行各阶段的用时和摘要';

create table if not exists ops.batch (
    batch_id text primary key,
    run_id text not null,
    src_inst_code text not null,
    entity text not null,
    product text not null,
    mode text not null check (mode in ('incremental', 'full', 'replace')),
    ref_period text not null default '',
    window_from text not null default '',
    window_to text not null default '',
    landing_uri text not null,
    payload_digest text not null,
    rows_received bigint not null,
    rows_stored bigint not null,
    rows_unchanged bigint not null,
    rows_superseded bigint not null,
    rows_tombstoned bigint not null default 0,
    as_of date not null,
    mapping_version text not null default '',
    loaded_at timestamptz not null default clock_timestamp(),
    check (rows_received = rows_stored + rows_unchanged + rows_superseded)
);
create index if not exists batch_source on ops.batch (src_inst_code, entity);
comment on table ops.batch is '一个已装载的批次。编号由单位、实体、窗口和内容得出，同一批次只能装载一次';
comment on column ops.batch.mode is 'incremental 变更窗口；full 全量比对；replace 按（实体, 期间）整体替换';
comment on column ops.batch.mapping_version is '装载时平台映射的版本；映射改动后由 replay 重新装载';
comment on column ops.batch.rows_received is '来源送来的行数，含删除记录';
comment on column ops.batch.rows_stored is '写入原始层的新版本行数（含来源送来的删除）';
comment on column ops.batch.rows_unchanged is '与现有版本相同、未重复存储的行数';
comment on column ops.batch.rows_superseded is '批内被更新版本取代，或比现有版本更旧的行数';
comment on column ops.batch.rows_tombstoned is '因整体替换或全量比对而由装载方补记的删除行数，不计入收到的行数';
create index if not exists batch_entity on ops.batch (entity, src_inst_code);

create table if not exists ops.watermark (
    src_inst_code text not null,
    entity text not null,
    cursor_value text not null,
    batch_id text not null,
    as_of date not null,
    primary key (src_inst_code, entity)
);
comment on table ops.watermark is '增量游标，与装载在同一事务内推进';

create table if not exists ops.collection_result (
    run_id text not null,
    src_inst_code text not null,
    entity text not null default '',
    outcome text not null,
    rows_received bigint not null default 0,
    rows_stored bigint not null default 0,
    requests bigint not null default 0,
    retries bigint not null default 0,
    seconds numeric(12, 3) not null default 0,
    error text,
    primary key (run_id, src_inst_code, entity)
);
comment on table ops.collection_result is '每次采集每个单位、每个实体的结果；entity 为空串的一行是单位合计';
comment on column ops.collection_result.outcome is 'success 成功；failed 失败；skipped 重复交付，未重复装载；held 暂缓（见 quality.hold），此前的数据继续有效';
alter table ops.collection_result drop constraint if exists collection_result_outcome_check,
    add constraint collection_result_outcome_check check (outcome in ('success', 'failed', 'skipped', 'held'));

create table if not exists ops.schema_drift (
    run_id text not null,
    src_inst_code text not null,
    entity text not null,
    field text not null,
    kind text not null check (kind in ('unannounced', 'missing_optional', 'missing_mandatory')),
    rows bigint not null,
    primary key (run_id, src_inst_code, entity, field)
);
comment on table ops.schema_drift is '报送字段与约定不一致。未公布的字段不落地（可能含个人信息），只记录字段名和行数';

create table if not exists ops.count_check (
    run_id text not null,
    src_inst_code text not null,
    entity text not null,
    source_count bigint not null,
    warehouse_count bigint not null,
    action text not null check (action in ('none', 'full_refresh', 'still_different')),
    primary key (run_id, src_inst_code, entity)
);
comment on table ops.count_check is '来源的现有行数与仓库比对（D05）；不一致时自动全量重采该实体';

create table if not exists ops.key_change (
    batch_id text not null,
    src_inst_code text not null,
    entity text not null,
    src_record_id text not null,
    old_key text not null,
    new_key text not null,
    source_version bigint not null,
    primary key (batch_id, src_record_id, source_version)
);
comment on table ops.key_change is '来源报告的主键变更';

create table if not exists ops.contract_field (
    entity text not null,
    ordinal int not null,
    field text not null,
    label text not null,
    logical_type text not null,
    sql_type text not null,
    presence text not null,
    is_key boolean not null,
    code_set text,
    primary key (entity, field)
);
comment on table ops.contract_field is '数据约定中的字段（不含直接标识信息），由 include/contracts 生成，即数据库中的数据字典';

create table if not exists ops.model_result (
    run_id text not null,
    layer text not null,
    node_id text not null,
    resource_type text not null,
    status text not null,
    seconds numeric(12, 3) not null,
    rows_affected bigint,
    message text,
    primary key (run_id, layer, node_id)
);
comment on table ops.model_result is 'dbt 每个节点（模型、种子、测试）的结果';

create table if not exists ops.reconciliation (
    run_id text not null,
    batch_id text not null,
    src_inst_code text not null,
    entity text not null,
    received bigint not null,
    accepted bigint not null,
    quarantined bigint not null,
    unchanged bigint not null,
    superseded bigint not null,
    is_balanced boolean not null generated always as (received = accepted + quarantined + unchanged + superseded) stored,
    primary key (run_id, batch_id)
);
comment on table ops.reconciliation is '对账：收到 = 接收 + 隔离 + 未变 + 被取代；不平衡的运行判为失败';
