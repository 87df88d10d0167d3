-- A status says how it was judged and on which figures: pooled counts, shrunk value, floor.
alter table estimates.indicator_estimate
add column if not exists judged_by text,
add column if not exists judged_numerator double precision,
add column if not exists judged_denominator double precision,
add column if not exists judged_value double precision,
add column if not exists judged_floor double precision;
comment on column estimates.indicator_estimate.judged_by is '判定所依据的规则（seed indicator_judgement）；按路径规则判定的为空';
comment on column estimates.indicator_estimate.judged_numerator is '判定所用的分子：多年合并的为合并的合格数';
comment on column estimates.indicator_estimate.judged_denominator is '判定所用的分母：多年合并的为合并的总数';
comment on column estimates.indicator_estimate.judged_value is '判定所用的值：多年合并、相对基准的为收缩后的比例';
comment on column estimates.indicator_estimate.judged_floor is '判定所对照的界限：底线、目标、路径，或基准减容差';
