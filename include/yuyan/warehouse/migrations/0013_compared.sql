-- What a failing record was compared with: the old level, the twin, the other date.
alter table quality.row_failure add column compared_with text;
comment on column quality.row_failure.compared_with is '规则对照了什么：本记录的其他字段，和所查记录的编号与字段（上次接收的值、重复的记录、两个日期）；不含个人信息和其他高校的内容';
