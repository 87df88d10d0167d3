-- What changed since a table was last made, so that a layer is made anew only where something did (docs/incremental.md).
create sequence if not exists ops.change_number;
create or replace function ops.next_change() returns bigint language sql security definer set search_path = pg_catalog
return nextval('ops.change_number');
create table if not exists ops.table_version (
    relation text primary key,
    version bigint not null,
    made_from text,
    as_of date,
    digest text
);
comment on table ops.table_version is '各表内容的版本：内容一变即取新号；接收层由触发器记，各模型由 dbt 记';
comment on column ops.table_version.relation is '模式名.表名';
comment on column ops.table_version.version is '内容最近一次变化的编号（ops.change_number）';
comment on column ops.table_version.made_from is '模型的 SQL、约定与索引的摘要；接收层为空';
comment on column ops.table_version.as_of is '模型最近一次按哪个统计日期核对过；接收层为空';
comment on column ops.table_version.digest is '内容的摘要：各行摘要之和';

create table if not exists ops.changed_key (
    relation text not null,
    version bigint not null,
    column_name text not null,
    key text
);
create index if not exists changed_key_since on ops.changed_key (relation, version);
comment on table ops.changed_key is '每次变化涉及哪些键：该列取这些值的行可能变了；key 为空表示任何一行都可能变了';

create table if not exists ops.read_version (
    model text not null,
    relation text not null,
    version bigint not null,
    primary key (model, relation)
);
comment on table ops.read_version is '各模型最近一次建成时读到的各表版本';

create table if not exists ops.followed (
    entity text primary key,
    column_name text
);
comment on table ops.followed is '接收层的变化按哪一列记入 ops.changed_key；空表示只记有变化';

-- A change of an accepted table, with the records that it is about: those whose followed column has one of the keys. No keys
-- (NULL), or too many, say that any row may have changed: models are made anew then anyway.
create or replace function ops.note_keys(of_entity text, keys text[]) returns void language plpgsql as $$
declare
    of_table constant text = 'accepted.' || of_entity;
    followed constant text = (select f.column_name from ops.followed as f where f.entity = of_entity);
    number bigint;
begin
    insert into ops.table_version as v (relation, version) values (of_table, ops.next_change())
    on conflict (relation) do update set version = ops.next_change()  -- drawn when the row is held: versions only grow
    returning version into number;
    if followed is null or keys is null or cardinality(keys) > 50000 then
        insert into ops.changed_key values (of_table, number, coalesce(followed, ''), null);
    else
        insert into ops.changed_key select of_table, number, followed, k from unnest(keys) as k;
    end if;
end
$$;

-- Called after every statement that changes an accepted table; `gone` and `fresh` are its rows before and after. A table that
-- no model has read (a first load) has no keys to note.
create or replace function ops.note_accepted() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
declare
    followed constant text = (
        select f.column_name from ops.followed as f
        where f.entity = tg_table_name and exists (select from ops.read_version as r where r.relation = 'accepted.' || f.entity)
    );
    touched constant text = case tg_op
        when 'INSERT' then 'select * from fresh' when 'DELETE' then 'select * from gone'
        when 'UPDATE' then 'select * from gone union all select * from fresh'
    end;
    is_touched boolean = true;
    keys text[];
begin
    if tg_op <> 'TRUNCATE' then
        execute format('select exists (%s)', touched) into is_touched;
        if followed is not null then
            execute format('select array_agg(key) from (select distinct coalesce(t.%I::text, '''') as key from (%s) as t limit 50001) as k',
                followed, touched) into keys;
        end if;
    end if;
    if is_touched then
        perform ops.note_keys(tg_table_name, keys);
    end if;
    return null;
end
$$;

-- A query of the keys of all versions of some records: those of the rows of another query.
create or replace function ops.keys_of_records(of_entity text, of_column text, records text) returns text
language sql immutable set search_path = pg_catalog as $$
    select format(
        'select array_agg(key) from (select distinct v.key from '
        '(select distinct src_inst_code, src_record_id from (%s) as rows_of_records) as r '
        'cross join lateral (select coalesce(v.%I, '''') as key from raw.%I as v '
        'where v.src_inst_code = r.src_inst_code and v.src_record_id = r.src_record_id offset 0) as v '
        'limit 50001) as k',
        records, of_column, of_entity
    )
$$;

-- Every version of a judged batch that is not in quarantine belongs to its record's history (accepted.<entity>_versions), also
-- where a newer one took its place in the same judgement, or where nothing of it is in the accepted table.
create or replace function ops.note_judged() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
declare
    judged record;
    keys text[];
begin
    for judged in
        select f.entity, f.column_name from ops.followed as f
        where f.entity in (select j.entity from fresh as j)
            and exists (select from ops.read_version as r where r.relation = 'accepted.' || f.entity)
    loop
        keys = null;
        if judged.column_name is not null then
            execute ops.keys_of_records(
                judged.entity, judged.column_name, format('select * from raw.%I where batch_id = any ($1)', judged.entity)
            ) into keys using (select array_agg(j.batch_id) from fresh as j where j.entity = judged.entity);
            continue when keys is null;
        end if;
        perform ops.note_keys(judged.entity, keys);
    end loop;
    return null;
end
$$;
create or replace trigger noted after insert on quality.judged referencing new table as fresh
for each statement execute function ops.note_judged();

-- What enters quarantine or leaves it is no version of its record's history, or is one again: another version of the record, with
-- another key maybe, is then valid for longer.
create or replace function ops.note_held() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
declare
    held constant text = case when tg_op = 'UPDATE'
        then 'select f.* from fresh as f join gone as g using (entity, raw_id) where f.state <> g.state' else 'select * from fresh' end;
    of_entity text;
    of_column text;
    keys text[];
begin
    for of_entity, of_column in
        execute format('select f.entity, f.column_name from ops.followed as f where f.column_name is not null '
            'and f.entity in (select h.entity from (%s) as h) '
            'and exists (select from ops.read_version as r where r.relation = ''accepted.'' || f.entity)', held)
    loop
        execute ops.keys_of_records(of_entity, of_column, format('select * from (%s) as h where entity = $1', held))
        into keys using of_entity;
        perform ops.note_keys(of_entity, keys);
    end loop;
    return null;
end
$$;
create or replace trigger noted_insert after insert on quality.quarantine referencing new table as fresh
for each statement execute function ops.note_held();
create or replace trigger noted_update after update on quality.quarantine referencing old table as gone new table as fresh
for each statement execute function ops.note_held();
create or replace trigger noted_delete after delete on quality.quarantine referencing old table as fresh
for each statement execute function ops.note_held();
-- a trigger needs no right to be called; whoever may attach one to a table of its own would have the owner's rights in it
revoke execute on function ops.note_accepted(), ops.note_judged(), ops.note_held(), ops.note_keys(text, text[]) from public;

create table if not exists ops.verification (
    verified_at timestamptz not null default clock_timestamp(),
    as_of date not null,
    relation text not null,
    standing bigint not null,
    rebuilt bigint not null
);
comment on table ops.verification is '局部更新的表与整表重建逐行比较的结果（yuyan verify）';
comment on column ops.verification.standing is '现有而重建没有的行数';
comment on column ops.verification.rebuilt is '重建有而现有没有的行数';
