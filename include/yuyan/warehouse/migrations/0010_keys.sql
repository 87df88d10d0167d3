-- What became of every record that a complete listing showed.

create table if not exists ops.key_reconciliation (
    run_id text not null,
    src_inst_code text not null,
    entity text not null,
    listed bigint not null,
    accepted bigint not null,
    quarantined bigint not null,
    deleted bigint not null,
    waiting bigint not null,
    lost_records text[] not null default '{}',
    unread_batches bigint not null default 0,
    is_balanced boolean not null generated always as (listed = accepted + quarantined + deleted + waiting) stored,
    primary key (run_id, src_inst_code, entity)
);
comment on table ops.key_reconciliation is
'按键对账：完整清单（全量、整份文件）列出的每个记录编号 = 接收 + 隔离 + 其后删除 + 待判；不平衡的运行判为失败';
comment on column ops.key_reconciliation.listed is '本次运行对账的完整清单在落地文件中列出的记录数，每个记录编号一次';
comment on column ops.key_reconciliation.accepted is '最新版本已接收';
comment on column ops.key_reconciliation.quarantined is '最新版本在隔离区';
comment on column ops.key_reconciliation.deleted is '清单之后来源删除，见 quality.deletion';
comment on column ops.key_reconciliation.waiting is '最新版本所在批次尚未判定';
comment on column ops.key_reconciliation.lost_records is '下落不明的记录编号，至多列 20 个';
comment on column ops.key_reconciliation.unread_batches is '落地文件已不存在、已损坏或单位文件不可用，未按键核对的批次数';
