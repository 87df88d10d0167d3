-- What a failing record was compared with (the old level, the twin, the other date), and in which file it was delivered.
alter table quality.row_failure add column compared_with text;
comment on column quality.row_failure.compared_with is '规则对照了什么：本记录的其他字段，和所查记录的编号与字段（上次接收的值、重复的记录、两个日期）；不含个人信息和其他高校的内容';

alter table ops.batch add column file_name text;
comment on column ops.batch.file_name is '交付文件夹和文件名，如 2026-10-15/student.xlsx；来源不是文件的为空';
