-- Control tables of the line: what each run, batch and model did (ops), and what the rules found (quality).
-- Idempotent: run at every start. Raw tables are not here; they follow from the contracts (ddl.py).

create schema if not exists raw;
create schema if not exists ops;
create schema if not exists quality;
create schema if not exists accepted;
create schema if not exists latest;
comment on schema raw is '原始层：各单位报送记录的全部版本，文本列，只追加';
comment on schema ops is '运行记录：运行、批次、水位线、对账、模型结果';
comment on schema accepted is '接收层：每条记录最后一个通过校验的版本，已转换类型，由校验阶段维护';
comment on schema latest is '每条记录的最新版本（不论是否判定、是否隔离），已转换类型，供人工核查';
comment on schema quality is '数据质量：规则、结果、逐行问题、隔离区';

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
    outcome text not null check (outcome in ('success', 'failed', 'skipped')),
    rows_received bigint not null default 0,
    rows_stored bigint not null default 0,
    requests bigint not null default 0,
    retries bigint not null default 0,
    seconds numeric(12, 3) not null default 0,
    error text,
    primary key (run_id, src_inst_code, entity)
);
comment on table ops.collection_result is '每次采集每个单位、每个实体的结果；entity 为空串的一行是单位合计';

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

create table if not exists quality.rule (
    rule_id text primary key,
    version int not null,
    entity text not null,
    column_name text,
    level smallint not null check (level between 0 and 5),
    severity text not null check (severity in ('REJECT', 'ERROR', 'WARN', 'INFO')),
    message text not null,
    why text not null,
    fix text not null,
    owner text not null,
    indicators text[] not null default '{}',
    definition text not null
);
comment on table quality.rule is '规则目录：结构规则来自数据约定，业务规则来自 expectations/';
comment on column quality.rule.level is '0 文件 1 字段 2 记录 3 跨实体 4 跨期间 5 跨来源';
comment on column quality.rule.severity is 'REJECT、ERROR 隔离该行；WARN、INFO 只记录';

create table if not exists quality.result (
    run_id text not null,
    rule_id text not null,
    src_inst_code text not null,
    entity text not null,
    eligible bigint not null,
    failed bigint not null,
    unverifiable bigint not null,
    primary key (run_id, rule_id, src_inst_code)
);
comment on table quality.result is '每次运行、每条规则、每个单位的结果：适用行数、不合格行数、无法判断行数（缺值不等于通过）';

create table if not exists quality.row_failure (
    run_id text not null,
    rule_id text not null,
    entity text not null,
    raw_id bigint not null,
    src_inst_code text not null,
    src_record_id text not null,
    record_key text,
    batch_id text not null,
    row_no bigint not null,
    column_name text,
    observed_value text,
    severity text not null,
    primary key (entity, raw_id, rule_id, run_id)
);
comment on table quality.row_failure is '逐行问题：哪条记录违反哪条规则，观察值是什么';

create table if not exists quality.quarantine (
    entity text not null,
    raw_id bigint not null,
    src_inst_code text not null,
    src_record_id text not null,
    batch_id text not null,
    rule_ids text[] not null,
    state text not null default 'open' check (state in ('open', 'superseded')),
    since_run_id text not null,
    last_run_id text not null,
    primary key (entity, raw_id)
);
comment on table quality.quarantine is '未通过校验的版本行。open：仍是该记录的最新版本；superseded：来源已送来更新的版本。重新判定通过的行移入 quality.release';

create table if not exists quality.release (
    entity text not null,
    raw_id bigint not null,
    src_inst_code text not null,
    src_record_id text not null,
    batch_id text not null,
    rule_ids text[] not null,
    since_run_id text not null,
    released_run_id text not null,
    reason text not null check (reason in ('healed', 'rule_changed')),
    primary key (entity, raw_id, released_run_id)
);
comment on table quality.release is '离开隔离区的行及原因：数据变化后重新判定通过，或规则变更';

create table if not exists quality.judged (
    entity text not null,
    batch_id text not null,
    rule_set text not null,
    run_id text not null,
    primary key (entity, batch_id)
);
comment on table quality.judged is '批次按哪一版规则集判定过；rule_set 是规则内容的摘要';

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
