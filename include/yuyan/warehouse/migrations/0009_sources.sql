-- What sources do: rows that were not taken by reason, the source's own version where it went back, text that was normalised.

alter table ops.batch add column if not exists rows_repeated bigint not null default 0;
comment on column ops.batch.rows_superseded is
'未采用的行数，按原因分为两种：rows_repeated 同一窗口内重复送来，其余比现有版本更旧';
comment on column ops.batch.rows_repeated is '未采用的行中，同一窗口内同一记录已有相同或更新版本的行数';

create table if not exists ops.normalised (
    run_id text not null,
    src_inst_code text not null,
    entity text not null,
    field text not null,
    rows bigint not null,
    primary key (run_id, src_inst_code, entity, field)
);
comment on table ops.normalised is
'装载时归一化改动过的报送字段和行数：去掉首尾空白和不可见字符，标识类字段的全角转半角；原文在落地文件中';
