-- Only an empty table gives up its indexes; names are the catalogue's, whatever a session has of the same name.
create or replace function ops.leave_out_indexes(of_entity text) returns void language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    of_table constant pg_catalog.regclass = pg_catalog.format('accepted.%I', of_entity);
    is_filled pg_catalog.bool;
    left_out record;
begin
    execute pg_catalog.format('select exists (select from %s)', of_table) into is_filled;
    if is_filled then
        raise exception '% is not empty: its indexes stay', of_table;
    end if;
    for left_out in
        select
            case when c.oid is null then pg_get_indexdef(i.indexrelid)
                else format('alter table %s add constraint %I %s', of_table, c.conname, pg_get_constraintdef(c.oid)) end as made,
            case when c.oid is null then format('drop index %s', i.indexrelid::regclass)
                else format('alter table %s drop constraint %I', of_table, c.conname) end as dropped
        from pg_catalog.pg_index as i
        left join pg_catalog.pg_constraint as c on c.conindid = i.indexrelid and c.conrelid = i.indrelid
        where i.indrelid = of_table
    loop
        insert into ops.left_out values (of_entity, left_out.made);
        execute left_out.dropped;
    end loop;
end
$$;

-- Tables and types of a session's own schema are looked for first unless that schema is named: here it is named last.
do $$
declare
    function record;
begin
    for function in
        select p.oid::regprocedure as name from pg_catalog.pg_proc as p
        inner join pg_catalog.pg_namespace as n on n.oid = p.pronamespace
        where p.prosecdef and n.nspname in ('ops', 'disclosure', 'access') and pg_catalog.pg_get_userbyid(p.proowner) = current_user
    loop
        execute format('alter function %s set search_path = pg_catalog, pg_temp', function.name);
    end loop;
end
$$;
