-- H09：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_thesis_sampling': 'sampling_year'}}) }}
with by_row_rows as (
    select
        f.sampling_year,
        f.inst_code,
        f.discipline_code,
        f.sampling_weight,
        f.authority_code,
        f.is_targeted,
        f.verdict_code,
        f.degree_level,
        f.degree_type,
        case when f.discipline_code is not null then f.degree_point_id end as degree_point_id
    from {{ ref('fct_thesis_sampling') }} as f
    where f.sampling_year is not null and {{ touched('f.sampling_year') }}
),

by_row_together as (
    select
        sampling_year,
        inst_code,
        degree_point_id,
        coalesce(sum(sampling_weight) filter (where authority_code in ('1', '2') and not is_targeted and verdict_code in ('1', '2')), 0) as h09_judged,
        count(*) filter (where authority_code in ('1', '2') and not is_targeted and verdict_code in ('1', '2')) as h09_judged_theses,
        coalesce(sum(sampling_weight) filter (where authority_code in ('1', '2') and not is_targeted and verdict_code in ('1', '2') and verdict_code = '1'), 0) as h09_passed,
        coalesce(sum(sampling_weight) filter (where authority_code in ('1', '2') and not is_targeted and verdict_code in ('1', '2') and degree_level = '1'), 0) as h09a_judged,
        count(*) filter (where authority_code in ('1', '2') and not is_targeted and verdict_code in ('1', '2') and degree_level = '1') as h09a_judged_theses,
        coalesce(sum(sampling_weight) filter (where authority_code in ('1', '2') and not is_targeted and verdict_code in ('1', '2') and degree_level = '1' and verdict_code = '1'), 0) as h09a_passed,
        coalesce(sum(sampling_weight) filter (where authority_code in ('1', '2') and not is_targeted and verdict_code in ('1', '2') and degree_level = '2' and degree_type = '1'), 0) as h09b_judged,
        count(*) filter (where authority_code in ('1', '2') and not is_targeted and verdict_code in ('1', '2') and degree_level = '2' and degree_type = '1') as h09b_judged_theses,
        coalesce(sum(sampling_weight) filter (where authority_code in ('1', '2') and not is_targeted and verdict_code in ('1', '2') and degree_level = '2' and degree_type = '1' and verdict_code = '1'), 0) as h09b_passed,
        coalesce(sum(sampling_weight) filter (where authority_code in ('1', '2') and not is_targeted and verdict_code in ('1', '2') and degree_level = '2' and degree_type = '2'), 0) as h09c_judged,
        count(*) filter (where authority_code in ('1', '2') and not is_targeted and verdict_code in ('1', '2') and degree_level = '2' and degree_type = '2') as h09c_judged_theses,
        coalesce(sum(sampling_weight) filter (where authority_code in ('1', '2') and not is_targeted and verdict_code in ('1', '2') and degree_level = '2' and degree_type = '2' and verdict_code = '1'), 0) as h09c_passed,
        count(*) filter (where authority_code in ('1', '2') and not is_targeted and verdict_code in ('1', '2') and verdict_code = '1') as h09_passed_theses
    from by_row_rows
    group by sampling_year, inst_code, degree_point_id
),

by_row as (
    select
        sampling_year,
        cast(sampling_year as text) as period_code,
        case grouping(inst_code, degree_point_id)
            when 3 then 'city'
            when 1 then 'institution'
            when 2 then 'degree_point'
        end as grain,
        case grouping(inst_code, degree_point_id)
            when 3 then '{{ var("city_code") }}'
            when 1 then inst_code
            when 2 then degree_point_id
        end as unit_code,
        sum(h09_judged) as h09_judged,
        sum(h09_judged_theses) as h09_judged_theses,
        sum(h09_passed) as h09_passed,
        sum(h09a_judged) as h09a_judged,
        sum(h09a_judged_theses) as h09a_judged_theses,
        sum(h09a_passed) as h09a_passed,
        sum(h09b_judged) as h09b_judged,
        sum(h09b_judged_theses) as h09b_judged_theses,
        sum(h09b_passed) as h09b_passed,
        sum(h09c_judged) as h09c_judged,
        sum(h09c_judged_theses) as h09c_judged_theses,
        sum(h09c_passed) as h09c_passed,
        sum(h09_passed_theses) as h09_passed_theses
    from by_row_together
    group by grouping sets (
        (sampling_year),
        (sampling_year, inst_code),
        (sampling_year, degree_point_id)
    )
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_row as c
cross join lateral (
    values
        ('H09', 1, cast(c.h09_passed as double precision), cast(c.h09_judged as double precision), cast(c.h09_judged_theses as double precision)),
        ('H09a', 1, cast(c.h09a_passed as double precision), cast(c.h09a_judged as double precision), cast(c.h09a_judged_theses as double precision)),
        ('H09b', 1, cast(c.h09b_passed as double precision), cast(c.h09b_judged as double precision), cast(c.h09b_judged_theses as double precision)),
        ('H09c', 1, cast(c.h09c_passed as double precision), cast(c.h09c_judged as double precision), cast(c.h09c_judged_theses as double precision)),
        ('H09d', 1, cast(c.h09_passed_theses as double precision), cast(c.h09_judged_theses as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
