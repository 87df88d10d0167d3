-- Stages reach the warehouse by logins of their own (include/line_roles.yml), which may not make schemas: the two in which stages
-- make tables are made here. What people decided is guarded further.

create schema if not exists judging;
comment on schema judging is '校验工作区：每个实体最近一次判定的行、类型化的值和逐条规则的结论；standing_ 开头的是全部现有记录最新版本的结论（清空后下次全部重新判定）；待重判的行';

create table if not exists judging.pending (
    entity text not null,
    raw_id bigint not null,
    primary key (entity, raw_id)
);
comment on table judging.pending is '已接收、但因其他记录变化（上级撤回、所查值改变、自然键被占）需要重新判定的行';

create table if not exists judging.city_total (
    rule_id text not null,
    of_year integer not null,
    city_total numeric,
    primary key (rule_id, of_year)
);
comment on table judging.city_total is '判断一条记录占全市合计几成时所比的合计：逐规则、逐年（不含超限的记录）；年份 0 为通常一年的合计';

-- GB 32100-2015: 18 characters of 31 (no I O S V Z), the last one a check character: weights 3^(i-1) mod 31,
-- C18 = (31 - sum mod 31) mod 31, so that the sum with weight 1 for the last one is divisible by 31.
create or replace function judging.valid_uscc(code text) returns boolean
language sql immutable parallel safe strict
return code ~ '^[0-9A-HJ-NP-RTUWXY]{18}$' and (
    (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 1, 1)) - 1)
    + (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 2, 1)) - 1) * 3
    + (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 3, 1)) - 1) * 9
    + (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 4, 1)) - 1) * 27
    + (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 5, 1)) - 1) * 19
    + (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 6, 1)) - 1) * 26
    + (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 7, 1)) - 1) * 16
    + (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 8, 1)) - 1) * 17
    + (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 9, 1)) - 1) * 20
    + (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 10, 1)) - 1) * 29
    + (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 11, 1)) - 1) * 25
    + (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 12, 1)) - 1) * 13
    + (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 13, 1)) - 1) * 8
    + (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 14, 1)) - 1) * 24
    + (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 15, 1)) - 1) * 10
    + (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 16, 1)) - 1) * 30
    + (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 17, 1)) - 1) * 28
    + (strpos('0123456789ABCDEFGHJKLMNPQRTUWXY', substr(code, 18, 1)) - 1)
) % 31 = 0;
comment on function judging.valid_uscc is '统一社会信用代码（GB 32100-2015）校验位是否正确';

create schema if not exists previous;
comment on schema previous is '最近一次发布时的状态：供下一次运行说明变化，只留一代，每次发布重写';

-- Who may add a step in whose name is a policy per login (yuyan.warehouse.line_roles); everybody who may read sees all steps.
alter table quality.life_cycle_event enable row level security;
create policy seen on quality.life_cycle_event for select using (true);

alter table allocation.sign_off add column recorded_by text, add column recorded_from inet;
comment on column allocation.sign_off.actor is '谁：操作方自称的账号；由哪个数据库账号、从何处写入，见 recorded_by、recorded_from';
comment on column allocation.sign_off.recorded_at is '何时：由数据库服务器写入，写入方不能指定';
comment on column allocation.sign_off.recorded_by is '写入时的数据库登录账号：由服务器写入，写入方不能指定；此列之前的记录为空';
comment on column allocation.sign_off.recorded_from is '写入方的网络地址：由服务器写入；本机套接字为空';
create trigger recorded before insert on allocation.sign_off
for each row execute function quality.record_event();

create trigger immutable before update or delete or truncate on quality.thinning
for each statement execute function quality.refuse();
create trigger immutable before update or delete or truncate on accountability.case_record
for each statement execute function quality.refuse();
