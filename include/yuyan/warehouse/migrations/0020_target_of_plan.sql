-- Whose definition and whose target are others than before is compared per fact and indicator, in schema previous (yuyan.changes.definitions).
alter table changes.cell add column target_of_plan double precision;
update changes.cell set target_of_plan = case when is_plan_changed then target_after else target_before end;
alter table changes.cell drop column is_plan_changed;
comment on column changes.cell.target_of_plan is '现行方案、上一次发布时的基期数据下的目标水平：与变化前之差是方案的，其余是基期数据的';
alter table changes.publication drop column definition_digest, drop column plan_digest;
