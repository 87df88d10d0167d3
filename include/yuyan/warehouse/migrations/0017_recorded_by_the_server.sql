-- What people decided is only added to, and the server says when and by which session, beside who is claimed to have acted.
alter table quality.life_cycle_event add column if not exists recorded_by text,
    add column if not exists recorded_from inet;
comment on column quality.life_cycle_event.recorded_at is '何时：由数据库服务器写入，写入方不能指定';
comment on column quality.life_cycle_event.actor is '谁：操作方自称的账号；由哪个数据库账号、从何处写入，见 recorded_by、recorded_from';
comment on column quality.life_cycle_event.recorded_by is '写入时的数据库登录账号：由服务器写入，写入方不能指定；此列之前的记录为空';
comment on column quality.life_cycle_event.recorded_from is '写入方的网络地址：由服务器写入；本机套接字为空';

create or replace function quality.record_event() returns trigger language plpgsql as $$
begin
    new.recorded_at := clock_timestamp();
    new.recorded_by := session_user;
    new.recorded_from := inet_client_addr();
    return new;
end
$$;
create or replace trigger recorded before insert on quality.life_cycle_event
for each row execute function quality.record_event();

create or replace function quality.refuse() returns trigger language plpgsql as $$
begin
    raise exception '% 只增不改：已写入的步骤和放行不得修改或删除；要更正，就再走一步并写明理由', tg_table_name;
end
$$;
create or replace trigger immutable before update or delete or truncate on quality.life_cycle_event
for each statement execute function quality.refuse();
create or replace trigger immutable before update or delete or truncate on quality.release
for each statement execute function quality.refuse();

-- Pseudonyms of persons are no business of an auditor.
update quality.row_failure set observed_value = '（假名，不显示）'
where column_name ~ '(^|\|)(person|expert)_key' and observed_value <> '';
