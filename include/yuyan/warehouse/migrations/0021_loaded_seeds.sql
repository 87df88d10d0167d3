-- Seeds are loaded when their files have changed, not every day.
create table if not exists ops.loaded_seeds (
    digest text primary key,
    loaded_at timestamptz not null default now()
);
comment on table ops.loaded_seeds is '参考数据（dbt 种子）文件的摘要：与数据库中的一致时不再装载';
