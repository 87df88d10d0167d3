-- A first load fills an accepted table without its indexes: to make them of all rows takes a third of the time of keeping them
-- row by row. The stage that loads does not own the table; what is left out and put back is what the owner made.
create table if not exists ops.left_out (
    entity text not null,
    command text not null,
    primary key (entity, command)
);
comment on table ops.left_out is '首次装载期间略去的索引及其重建命令；装载在同一事务内恢复，平时为空';

create or replace function ops.leave_out_indexes(of_entity text) returns void language plpgsql security definer set search_path = pg_catalog as $$
declare
    of_table constant regclass = format('accepted.%I', of_entity);
    left_out record;
begin
    for left_out in
        select
            case when c.oid is null then pg_get_indexdef(i.indexrelid)
                else format('alter table %s add constraint %I %s', of_table, c.conname, pg_get_constraintdef(c.oid)) end as made,
            case when c.oid is null then format('drop index %s', i.indexrelid::regclass)
                else format('alter table %s drop constraint %I', of_table, c.conname) end as dropped
        from pg_index as i
        left join pg_constraint as c on c.conindid = i.indexrelid and c.conrelid = i.indrelid
        where i.indrelid = of_table
    loop
        insert into ops.left_out values (of_entity, left_out.made);
        execute left_out.dropped;
    end loop;
end
$$;

create or replace function ops.put_back_indexes(of_entity text) returns void language plpgsql security definer set search_path = pg_catalog as $$
declare
    left_out record;
begin
    for left_out in delete from ops.left_out as l where l.entity = of_entity returning l.command loop
        execute left_out.command;
    end loop;
end
$$;
revoke execute on function ops.leave_out_indexes(text), ops.put_back_indexes(text) from public;
