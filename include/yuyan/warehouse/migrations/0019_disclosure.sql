-- What readers of the published figures see, and what they have seen. Written by yuyan.disclosure.run.
create schema published;
comment on schema published is '公布的集市：与 marts 同名同列，人数或单位数过少的不公布（include/disclosure.yml、docs/disclosure.md）';

create schema research;
comment on schema research is '研究用数据：没有编号、概括过的学籍，每种可识别属性的组合不少于最小人数';

create schema disclosure;
comment on schema disclosure is '公布阶段的记忆：每个计数上次公布的值，供下次公布判断与之相差是否过少；读者不可见';

create table disclosure.publication (
    publication_no bigint generated always as identity primary key,
    run_id text not null,
    published_at timestamptz not null default clock_timestamp()
);
comment on table disclosure.publication is '每次公布一行';

create table disclosure.cell (
    place text primary key,
    shown double precision,
    exact double precision not null
);
comment on table disclosure.cell is '上次公布时每个计数（人群、期间、各维度）一行';
comment on column disclosure.cell.shown is '公布的值；不公布的为空';
comment on column disclosure.cell.exact is '当时的值；不公布的，为开始不公布时的值';

-- Whoever reads persons (pseudonyms) says what for, once per session; without it the star has no rows for them but an error.
create schema access;
comment on schema access is '读者说明用途：access.state_purpose(用途)，此后本会话可读星型模型；说明过的用途在 access.purpose';

create table access.purpose (
    purpose_id bigint generated always as identity primary key,
    reader text not null default session_user,
    purpose text not null check (length(btrim(purpose)) >= 10),
    stated_at timestamptz not null default clock_timestamp(),
    stated_from inet default inet_client_addr(),
    backend_pid integer not null default pg_backend_pid(),
    backend_start timestamptz not null
);
comment on table access.purpose is '读取个人数据（假名）的用途：每个会话说明一次，由数据库服务器记下账号、时间和来处，只增不改';
create trigger immutable before update or delete or truncate on access.purpose
for each statement execute function quality.refuse();

create table disclosure.bound_reader (reader text primary key);
comment on table disclosure.bound_reader is '读取星型模型前必须说明用途的账号（include/roles.yml 的 states_purpose）';

create function disclosure.backend_start() returns timestamptz
language sql stable security definer set search_path = pg_catalog
as $$ select backend_start from pg_stat_get_activity(pg_backend_pid()) $$;

create function access.state_purpose(purpose text) returns bigint
language plpgsql security definer set search_path = pg_catalog as $$
declare
    stated bigint;
begin
    if length(btrim(coalesce(purpose, ''))) < 10 then
        raise exception '用途至少写 10 个字：写明做什么分析、给谁用 / state in 10 characters or more what the data are for';
    end if;
    insert into access.purpose (purpose, backend_start) values (btrim(purpose), disclosure.backend_start())
    returning purpose_id into stated;
    return stated;
end
$$;
comment on function access.state_purpose is '说明本会话读取星型模型的用途；此后本会话可读';
revoke execute on function access.state_purpose from public;

create function disclosure.has_purpose() returns boolean
language plpgsql stable parallel restricted security definer set search_path = pg_catalog as $$
begin
    if not exists (select from disclosure.bound_reader where reader = session_user) or exists (
        select from access.purpose
        where backend_pid = pg_backend_pid() and reader = session_user and backend_start = disclosure.backend_start()
    ) then
        return true;
    end if;
    raise exception '先说明用途：select access.state_purpose(''…'') / state a purpose before reading persons'
        using errcode = 'insufficient_privilege';
end
$$;
comment on function disclosure.has_purpose is '星型模型各表的行级安全策略：须说明用途的账号未说明时报错';
