-- Very many failures at once, and entities that cannot be judged.

alter table quality.cause drop constraint cause_kind_check;
alter table quality.cause add constraint cause_kind_check check (
    kind in ('parent_missing', 'parent_quarantined', 'unknown_code', 'same_batch', 'systematic', 'single')
);
comment on column quality.cause.kind is 'parent_missing 上级记录未报；parent_quarantined 上级记录被隔离；unknown_code 同一个未知代码；same_batch 同一批次整体不合格；systematic 一个单位的适用记录全部违反同一规则，是字段映射或系统性错误；single 其余，按规则与单位归组';

-- A failure that stands is found by the unique index (entity, raw_id, rule_id), one that ended by these.
drop index quality.row_failure_resolved;
create index row_failure_resolved on quality.row_failure (resolved_run_id) where resolved_run_id is not null;
drop index quality.row_failure_version;
create index row_failure_ended on quality.row_failure (entity, raw_id) where resolved_run_id is not null;

create table quality.unjudged (
    entity text primary key,
    run_id text not null,
    error text not null
);
comment on table quality.unjudged is '判定中断的实体：此前接收的数据继续有效，其批次等待下一次判定；判定成功后删除';
comment on column quality.unjudged.run_id is '最近一次中断的运行';
comment on column quality.unjudged.error is '中断的原因（数据库的原话）';
