-- A count that is there is written again only where it has changed: what is kept is since when one is gone, not when it was seen.
alter table disclosure.cell add column gone_on date;
update disclosure.cell set gone_on = seen_on + 1 where seen_on < (select max(seen_on) from disclosure.cell);
alter table disclosure.cell drop column seen_on;
alter table disclosure.publication add column as_of date;
comment on column disclosure.publication.as_of is '统计日期；从前的公布没有记';
comment on column disclosure.cell.gone_on is '从哪次公布（统计日期）起没有这个计数；空：最近一次公布时有';
