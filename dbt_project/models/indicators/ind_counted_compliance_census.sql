-- M02.1, M08.3：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_compliance_census': 'census_year'}}) }}
with by_person_key_rows as (
    select
        f.census_year,
        f.person_key,
        f.inst_code,
        f.discipline_code,
        f.is_required,
        f.is_compliant,
        f.has_lab_access,
        f.is_lab_access_valid,
        case when f.discipline_code is not null then f.degree_point_id end as degree_point_id,
        count(*) over (partition by f.census_year, f.person_key) as rows_of_key
    from {{ ref('fct_compliance_census') }} as f
    where f.census_year is not null and f.person_key is not null and {{ touched('f.census_year') }}
),

by_person_key_alone as (
    select
        census_year,
        inst_code,
        degree_point_id,
        count(*) filter (where is_required) as m02_1_required,
        count(*) filter (where is_required and is_compliant) as m02_1_compliant,
        count(*) filter (where has_lab_access) as m08_3_admitted,
        count(*) filter (where has_lab_access and is_lab_access_valid) as m08_3_valid,
        count(*) filter (where has_lab_access and not is_lab_access_valid) as m08_3_violations
    from by_person_key_rows
    where rows_of_key = 1
    group by census_year, inst_code, degree_point_id
),

by_person_key_repeated as (
    select
        r.*
    from by_person_key_rows as r
    where r.rows_of_key > 1
),

by_person_key_once as (
    select
        census_year,
        person_key,
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
        bool_or(is_required) as m02_1_required,
        bool_or(is_required and is_compliant) as m02_1_compliant,
        bool_or(has_lab_access) as m08_3_admitted,
        bool_or(has_lab_access and is_lab_access_valid) as m08_3_valid,
        bool_or(has_lab_access and not is_lab_access_valid) as m08_3_violations
    from by_person_key_repeated
    group by grouping sets (
        (census_year, person_key),
        (census_year, person_key, inst_code),
        (census_year, person_key, degree_point_id)
    )
),

by_person_key_parts as (
    select
        census_year,
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
        sum(m02_1_required) as m02_1_required,
        sum(m02_1_compliant) as m02_1_compliant,
        sum(m08_3_admitted) as m08_3_admitted,
        sum(m08_3_valid) as m08_3_valid,
        sum(m08_3_violations) as m08_3_violations
    from by_person_key_alone
    group by grouping sets (
        (census_year),
        (census_year, inst_code),
        (census_year, degree_point_id)
    )

    union all

    select
        census_year,
        grain,
        unit_code,
        count(*) filter (where m02_1_required) as m02_1_required,
        count(*) filter (where m02_1_compliant) as m02_1_compliant,
        count(*) filter (where m08_3_admitted) as m08_3_admitted,
        count(*) filter (where m08_3_valid) as m08_3_valid,
        count(*) filter (where m08_3_violations) as m08_3_violations
    from by_person_key_once
    group by census_year, grain, unit_code
),

by_person_key as (
    select
        census_year,
        cast(census_year as text) as period_code,
        grain,
        unit_code,
        sum(m02_1_required) as m02_1_required,
        sum(m02_1_compliant) as m02_1_compliant,
        sum(m08_3_admitted) as m08_3_admitted,
        sum(m08_3_valid) as m08_3_valid,
        sum(m08_3_violations) as m08_3_violations
    from by_person_key_parts
    group by census_year, grain, unit_code
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_person_key as c
cross join lateral (
    values
        ('M02.1', 1, cast(c.m02_1_compliant as double precision), cast(c.m02_1_required as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_person_key as c
cross join lateral (
    values
        ('M08.3', 1, cast(c.m08_3_valid as double precision), cast(c.m08_3_admitted as double precision), cast(null as double precision)),
        ('M08.3n', 1, cast(c.m08_3_violations as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
    and c.grain in ('city', 'institution')
