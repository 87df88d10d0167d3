-- A revision is measured in units of the indicator's own interval (D06), for which the first assessment keeps its cases.
alter table quality.credibility add column if not exists cases double precision;
comment on column quality.credibility.cases is '比例的有效案例数（分母除以设计效应）；不是比例的为空';
alter table quality.first_assessed add column if not exists cases double precision;
comment on column quality.first_assessed.cases is '首次评估时比例的有效案例数；不是比例的为空';
comment on column quality.thinning.policy is '清理所依据的保留规定（yuyan/assess/retention.py）';
