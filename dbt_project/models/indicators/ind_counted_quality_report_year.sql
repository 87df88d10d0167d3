-- M19.1：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_quality_report_year': 'due_year'}}) }}
with by_row_rows as (
    select
        f.due_year,
        f.inst_code,
        f.is_due,
        f.is_on_time,
        f.is_submitted,
        f.is_sampled,
        f.is_sampling_done,
        f.is_passed,
        f.is_digest_equal
    from {{ ref('fct_quality_report_year') }} as f
    where f.due_year is not null and {{ touched('f.due_year') }}
),

by_row_together as (
    select
        due_year,
        inst_code,
        count(*) filter (where is_due) as m19_1_due,
        count(*) filter (where is_due and is_on_time) as m19_1_on_time,
        count(*) filter (where is_due and is_submitted) as m19_1_submitted,
        count(*) filter (where is_due and is_submitted and is_sampled) as m19_1_sampled,
        count(*) filter (where is_due and is_submitted and is_sampling_done) as m19_1_judged,
        count(*) filter (where is_due and is_submitted and is_sampling_done and is_passed) as m19_1_passed,
        count(*) filter (where is_due and is_submitted and is_digest_equal) as m19_1_equal
    from by_row_rows
    group by due_year, inst_code
),

by_row as (
    select
        due_year,
        cast(due_year as text) as period_code,
        case grouping(inst_code)
            when 1 then 'city'
            when 0 then 'institution'
        end as grain,
        case grouping(inst_code)
            when 1 then '{{ var("city_code") }}'
            when 0 then inst_code
        end as unit_code,
        sum(m19_1_due) as m19_1_due,
        sum(m19_1_on_time) as m19_1_on_time,
        sum(m19_1_submitted) as m19_1_submitted,
        sum(m19_1_sampled) as m19_1_sampled,
        sum(m19_1_judged) as m19_1_judged,
        sum(m19_1_passed) as m19_1_passed,
        sum(m19_1_equal) as m19_1_equal
    from by_row_together
    group by grouping sets (
        (due_year),
        (due_year, inst_code)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('M19.1', 1, cast(c.m19_1_on_time as double precision), cast(c.m19_1_due as double precision), cast(null as double precision)),
        ('M19.1s', 1, cast(c.m19_1_sampled as double precision), cast(c.m19_1_submitted as double precision), cast(null as double precision)),
        ('M19.1p', 1, cast(c.m19_1_passed as double precision), cast(c.m19_1_judged as double precision), cast(null as double precision)),
        ('M19.1d', 1, cast(c.m19_1_equal as double precision), cast(c.m19_1_submitted as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
