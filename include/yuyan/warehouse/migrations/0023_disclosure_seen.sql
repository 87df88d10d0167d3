-- What was shown of a figure is remembered while its table does not have it, for so many days as the policy says.
alter table disclosure.cell add column seen_on date not null default current_date;
alter table disclosure.cell alter column seen_on drop default;
comment on table disclosure.cell is '最近一次公布时每个计数（人群、期间、各维度）一行；其后不再出现的仍保留若干天（include/disclosure.yml 的 remembered_days）';
comment on column disclosure.cell.seen_on is '最近一次有这个计数的公布的统计日期';
