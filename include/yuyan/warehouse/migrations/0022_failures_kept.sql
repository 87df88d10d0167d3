-- A failure is settled once and stays what it was: neither a stage nor the owner changes what record broke which rule since when,
-- what has ended, or takes a row away. While it stands, the line writes on it when and how it was last seen, its cause, its override
-- and its end. An override is noted on what has just ended, too (of a last good version that stands in), so that column is free.
create or replace function quality.refuse_failure() returns trigger language plpgsql as $$
begin
    raise exception '% 只能了结，不得改写：哪条记录、哪条规则、起于何时不得修改，已了结的不得再改，不得删除', tg_table_name;
end
$$;
create trigger identity before update of failure_id, entity, raw_id, rule_id, src_inst_code, src_record_id, record_key, batch_id,
    row_no, since_run_id
on quality.row_failure for each statement execute function quality.refuse_failure();
create trigger kept before delete or truncate on quality.row_failure
for each statement execute function quality.refuse_failure();
-- after, since what comes before each row would lock it once more
create trigger ended after update of rule_version, column_name, observed_value, severity, compared_with, cause_id, last_run_id,
    resolved_run_id, resolution
on quality.row_failure for each row when (old.resolved_run_id is not null) execute function quality.refuse_failure();
