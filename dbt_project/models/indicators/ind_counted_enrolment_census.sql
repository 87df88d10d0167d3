-- H02, H03, H04, M03.1, M07.2, M10.1, M11.1, M13.1, M14.1, M15.1, M17.2：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_enrolment_census': 'census_year'}}) }}
with by_person_key_rows as (
    select
        f.census_year,
        f.person_key,
        f.inst_code,
        f.degree_level,
        f.degree_type,
        f.discipline_code,
        f.is_in_match_scope,
        f.is_discipline_matched,
        f.study_mode,
        f.has_industry_supervisor,
        f.special_programme_code,
        f.is_interdisciplinary,
        f.is_alternation,
        f.is_international,
        count(*) over (partition by f.census_year, f.person_key) as rows_of_key
    from {{ ref('fct_enrolment_census') }} as f
    where f.census_year is not null and f.person_key is not null and {{ touched('f.census_year') }}
),

by_person_key_alone as (
    select
        census_year,
        inst_code,
        degree_level,
        degree_type,
        discipline_code,
        count(*) filter (where is_in_match_scope) as h02_persons,
        count(*) filter (where is_in_match_scope and is_discipline_matched) as h02_matched_persons,
        count(*) as h03_persons,
        count(*) filter (where study_mode = '1') as h03_ft_persons,
        count(*) filter (where study_mode = '2') as h03_pt_persons,
        count(*) filter (where degree_level = '1') as h04_doctoral,
        count(*) filter (where degree_level in ('1', '2')) as m03_1_students,
        count(*) filter (where degree_level in ('1', '2') and degree_type = '2') as m03_1_professional_students,
        count(*) filter (where degree_type = '2') as m07_2_professional,
        count(*) filter (where degree_type = '2' and has_industry_supervisor) as m07_2_with_industry,
        count(*) filter (where special_programme_code = '07') as m10_1_students,
        count(*) filter (where special_programme_code = '06') as m11_1_students,
        count(*) filter (where is_interdisciplinary) as m13_1_students,
        count(*) filter (where degree_type = '2' and discipline_code in ('0854', '0855', '0856', '0857', '0858', '0859', '0860', '0861')) as m14_1_students,
        count(*) filter (where degree_type = '2' and discipline_code in ('0854', '0855', '0856', '0857', '0858', '0859', '0860', '0861') and is_alternation) as m14_1_alternating,
        count(*) filter (where special_programme_code in ('02', '03', '04', '08')) as m15_1_students,
        count(*) filter (where special_programme_code = '08') as m15_1_basic,
        count(*) filter (where special_programme_code = '02') as m15_1_physicians,
        count(*) filter (where special_programme_code = '03') as m15_1_advisers,
        count(*) filter (where special_programme_code = '04') as m15_1_dual,
        count(*) filter (where is_international) as m17_2_international
    from by_person_key_rows
    where rows_of_key = 1
    group by census_year, inst_code, degree_level, degree_type, discipline_code
),

by_person_key_repeated as (
    select
        r.*,
        m.cluster_code
    from by_person_key_rows as r
    left join {{ ref('bridge_key_cluster') }} as m
        on m.discipline_code = r.discipline_code and m.is_matched
    where r.rows_of_key > 1
),

by_person_key_once as (
    select
        census_year,
        person_key,
        case grouping(inst_code, degree_level, degree_type, substr(discipline_code, 1, 2), discipline_code, cluster_code)
            when 63 then 'city'
            when 31 then 'institution'
            when 39 then 'level_type'
            when 59 then 'category'
            when 61 then 'discipline'
            when 7 then 'institution_level_type'
            when 27 then 'institution_category'
            when 29 then 'institution_discipline'
            when 62 then 'cluster'
        end as grain,
        case grouping(inst_code, degree_level, degree_type, substr(discipline_code, 1, 2), discipline_code, cluster_code)
            when 63 then '{{ var("city_code") }}'
            when 31 then inst_code
            when 39 then degree_level || '-' || degree_type
            when 59 then substr(discipline_code, 1, 2)
            when 61 then discipline_code
            when 7 then inst_code || '-' || degree_level || '-' || degree_type
            when 27 then inst_code || '-' || substr(discipline_code, 1, 2)
            when 29 then inst_code || '-' || discipline_code
            when 62 then cluster_code
        end as unit_code,
        bool_or(is_in_match_scope) as h02_persons,
        bool_or(is_in_match_scope and is_discipline_matched) as h02_matched_persons,
        true as h03_persons,
        bool_or(study_mode = '1') as h03_ft_persons,
        bool_or(study_mode = '2') as h03_pt_persons,
        bool_or(degree_level = '1') as h04_doctoral,
        bool_or(degree_level in ('1', '2')) as m03_1_students,
        bool_or(degree_level in ('1', '2') and degree_type = '2') as m03_1_professional_students,
        bool_or(degree_type = '2') as m07_2_professional,
        bool_or(degree_type = '2' and has_industry_supervisor) as m07_2_with_industry,
        bool_or(special_programme_code = '07') as m10_1_students,
        bool_or(special_programme_code = '06') as m11_1_students,
        bool_or(is_interdisciplinary) as m13_1_students,
        bool_or(degree_type = '2' and discipline_code in ('0854', '0855', '0856', '0857', '0858', '0859', '0860', '0861')) as m14_1_students,
        bool_or(degree_type = '2' and discipline_code in ('0854', '0855', '0856', '0857', '0858', '0859', '0860', '0861') and is_alternation) as m14_1_alternating,
        bool_or(special_programme_code in ('02', '03', '04', '08')) as m15_1_students,
        bool_or(special_programme_code = '08') as m15_1_basic,
        bool_or(special_programme_code = '02') as m15_1_physicians,
        bool_or(special_programme_code = '03') as m15_1_advisers,
        bool_or(special_programme_code = '04') as m15_1_dual,
        bool_or(is_international) as m17_2_international
    from by_person_key_repeated
    group by grouping sets (
        (census_year, person_key),
        (census_year, person_key, inst_code),
        (census_year, person_key, degree_level, degree_type),
        (census_year, person_key, substr(discipline_code, 1, 2)),
        (census_year, person_key, discipline_code),
        (census_year, person_key, inst_code, degree_level, degree_type),
        (census_year, person_key, inst_code, substr(discipline_code, 1, 2)),
        (census_year, person_key, inst_code, discipline_code),
        (census_year, person_key, cluster_code)
    )
),

by_person_key_parts as (
    select
        census_year,
        case grouping(inst_code, degree_level, degree_type, substr(discipline_code, 1, 2), discipline_code)
            when 31 then 'city'
            when 15 then 'institution'
            when 19 then 'level_type'
            when 29 then 'category'
            when 30 then 'discipline'
            when 3 then 'institution_level_type'
            when 13 then 'institution_category'
            when 14 then 'institution_discipline'
        end as grain,
        case grouping(inst_code, degree_level, degree_type, substr(discipline_code, 1, 2), discipline_code)
            when 31 then '{{ var("city_code") }}'
            when 15 then inst_code
            when 19 then degree_level || '-' || degree_type
            when 29 then substr(discipline_code, 1, 2)
            when 30 then discipline_code
            when 3 then inst_code || '-' || degree_level || '-' || degree_type
            when 13 then inst_code || '-' || substr(discipline_code, 1, 2)
            when 14 then inst_code || '-' || discipline_code
        end as unit_code,
        sum(h02_persons) as h02_persons,
        sum(h02_matched_persons) as h02_matched_persons,
        sum(h03_persons) as h03_persons,
        sum(h03_ft_persons) as h03_ft_persons,
        sum(h03_pt_persons) as h03_pt_persons,
        sum(h04_doctoral) as h04_doctoral,
        sum(m03_1_students) as m03_1_students,
        sum(m03_1_professional_students) as m03_1_professional_students,
        sum(m07_2_professional) as m07_2_professional,
        sum(m07_2_with_industry) as m07_2_with_industry,
        sum(m10_1_students) as m10_1_students,
        sum(m11_1_students) as m11_1_students,
        sum(m13_1_students) as m13_1_students,
        sum(m14_1_students) as m14_1_students,
        sum(m14_1_alternating) as m14_1_alternating,
        sum(m15_1_students) as m15_1_students,
        sum(m15_1_basic) as m15_1_basic,
        sum(m15_1_physicians) as m15_1_physicians,
        sum(m15_1_advisers) as m15_1_advisers,
        sum(m15_1_dual) as m15_1_dual,
        sum(m17_2_international) as m17_2_international
    from by_person_key_alone
    group by grouping sets (
        (census_year),
        (census_year, inst_code),
        (census_year, degree_level, degree_type),
        (census_year, substr(discipline_code, 1, 2)),
        (census_year, discipline_code),
        (census_year, inst_code, degree_level, degree_type),
        (census_year, inst_code, substr(discipline_code, 1, 2)),
        (census_year, inst_code, discipline_code)
    )

    union all

    select
        census_year,
        grain,
        unit_code,
        count(*) filter (where h02_persons) as h02_persons,
        count(*) filter (where h02_matched_persons) as h02_matched_persons,
        count(*) filter (where h03_persons) as h03_persons,
        count(*) filter (where h03_ft_persons) as h03_ft_persons,
        count(*) filter (where h03_pt_persons) as h03_pt_persons,
        count(*) filter (where h04_doctoral) as h04_doctoral,
        count(*) filter (where m03_1_students) as m03_1_students,
        count(*) filter (where m03_1_professional_students) as m03_1_professional_students,
        count(*) filter (where m07_2_professional) as m07_2_professional,
        count(*) filter (where m07_2_with_industry) as m07_2_with_industry,
        count(*) filter (where m10_1_students) as m10_1_students,
        count(*) filter (where m11_1_students) as m11_1_students,
        count(*) filter (where m13_1_students) as m13_1_students,
        count(*) filter (where m14_1_students) as m14_1_students,
        count(*) filter (where m14_1_alternating) as m14_1_alternating,
        count(*) filter (where m15_1_students) as m15_1_students,
        count(*) filter (where m15_1_basic) as m15_1_basic,
        count(*) filter (where m15_1_physicians) as m15_1_physicians,
        count(*) filter (where m15_1_advisers) as m15_1_advisers,
        count(*) filter (where m15_1_dual) as m15_1_dual,
        count(*) filter (where m17_2_international) as m17_2_international
    from by_person_key_once
    group by census_year, grain, unit_code

    union all

    select
        r.census_year,
        'cluster' as grain,
        m.cluster_code as unit_code,
        sum(r.h02_persons) as h02_persons,
        sum(r.h02_matched_persons) as h02_matched_persons,
        sum(r.h03_persons) as h03_persons,
        sum(r.h03_ft_persons) as h03_ft_persons,
        sum(r.h03_pt_persons) as h03_pt_persons,
        sum(r.h04_doctoral) as h04_doctoral,
        sum(r.m03_1_students) as m03_1_students,
        sum(r.m03_1_professional_students) as m03_1_professional_students,
        sum(r.m07_2_professional) as m07_2_professional,
        sum(r.m07_2_with_industry) as m07_2_with_industry,
        sum(r.m10_1_students) as m10_1_students,
        sum(r.m11_1_students) as m11_1_students,
        sum(r.m13_1_students) as m13_1_students,
        sum(r.m14_1_students) as m14_1_students,
        sum(r.m14_1_alternating) as m14_1_alternating,
        sum(r.m15_1_students) as m15_1_students,
        sum(r.m15_1_basic) as m15_1_basic,
        sum(r.m15_1_physicians) as m15_1_physicians,
        sum(r.m15_1_advisers) as m15_1_advisers,
        sum(r.m15_1_dual) as m15_1_dual,
        sum(r.m17_2_international) as m17_2_international
    from by_person_key_alone as r
    inner join {{ ref('bridge_key_cluster') }} as m
        on m.discipline_code = r.discipline_code and m.is_matched
    group by r.census_year, m.cluster_code
),

by_person_key as (
    select
        census_year,
        cast(census_year as text) as period_code,
        grain,
        unit_code,
        sum(h02_persons) as h02_persons,
        sum(h02_matched_persons) as h02_matched_persons,
        sum(h03_persons) as h03_persons,
        sum(h03_ft_persons) as h03_ft_persons,
        sum(h03_pt_persons) as h03_pt_persons,
        sum(h04_doctoral) as h04_doctoral,
        sum(m03_1_students) as m03_1_students,
        sum(m03_1_professional_students) as m03_1_professional_students,
        sum(m07_2_professional) as m07_2_professional,
        sum(m07_2_with_industry) as m07_2_with_industry,
        sum(m10_1_students) as m10_1_students,
        sum(m11_1_students) as m11_1_students,
        sum(m13_1_students) as m13_1_students,
        sum(m14_1_students) as m14_1_students,
        sum(m14_1_alternating) as m14_1_alternating,
        sum(m15_1_students) as m15_1_students,
        sum(m15_1_basic) as m15_1_basic,
        sum(m15_1_physicians) as m15_1_physicians,
        sum(m15_1_advisers) as m15_1_advisers,
        sum(m15_1_dual) as m15_1_dual,
        sum(m17_2_international) as m17_2_international
    from by_person_key_parts
    group by census_year, grain, unit_code
),

by_person_key_of_city as (
    select
        *,
        max(h02_persons) filter (where grain = 'city') over (partition by census_year) as h02_persons_of_city
    from by_person_key
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_person_key_of_city as c
cross join lateral (
    values
        ('H02b', 1, cast(c.h02_matched_persons as double precision), cast(case when c.grain in ('cluster') and c.h02_persons > 0 then c.h02_persons_of_city else c.h02_persons end as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
    and c.grain in ('city', 'institution', 'cluster')
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_person_key_of_city as c
cross join lateral (
    values
        ('H03', 1, cast(c.h03_persons as double precision), cast(null as double precision), cast(null as double precision)),
        ('H03-FT', 1, cast(c.h03_ft_persons as double precision), cast(null as double precision), cast(null as double precision)),
        ('H03-PT', 1, cast(c.h03_pt_persons as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
    and c.grain in ('city', 'institution', 'level_type', 'category', 'discipline', 'institution_level_type', 'institution_category', 'institution_discipline')
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_person_key_of_city as c
cross join lateral (
    values
        ('H04', 1, cast(c.h04_doctoral as double precision), cast(c.h03_persons as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
    and c.grain in ('city', 'institution', 'category', 'discipline', 'institution_category', 'institution_discipline')
union all
select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_person_key_of_city as c
cross join lateral (
    values
        ('M03.1-S', 1, cast(c.m03_1_professional_students as double precision), cast(c.m03_1_students as double precision), cast(null as double precision)),
        ('M07.2', 1, cast(c.m07_2_with_industry as double precision), cast(c.m07_2_professional as double precision), cast(null as double precision)),
        ('M10.1', 1, cast(c.m10_1_students as double precision), cast(null as double precision), cast(null as double precision)),
        ('M11.1', 1, cast(c.m11_1_students as double precision), cast(null as double precision), cast(null as double precision)),
        ('M13.1s', 1, cast(c.m13_1_students as double precision), cast(null as double precision), cast(null as double precision)),
        ('M14.1', 1, cast(c.m14_1_alternating as double precision), cast(c.m14_1_students as double precision), cast(null as double precision)),
        ('M15.1', 1, cast(c.m15_1_students as double precision), cast(null as double precision), cast(null as double precision)),
        ('M15.1a', 1, cast(c.m15_1_basic as double precision), cast(null as double precision), cast(null as double precision)),
        ('M15.1b', 1, cast(c.m15_1_physicians as double precision), cast(null as double precision), cast(null as double precision)),
        ('M15.1c', 1, cast(c.m15_1_advisers as double precision), cast(null as double precision), cast(null as double precision)),
        ('M15.1d', 1, cast(c.m15_1_dual as double precision), cast(null as double precision), cast(null as double precision)),
        ('M17.2s', 1, cast(c.m17_2_international as double precision), cast(null as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
    and c.grain in ('city', 'institution')
