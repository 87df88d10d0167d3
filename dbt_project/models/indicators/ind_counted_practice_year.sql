-- H08：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
{{ config(follows={'key': 'period_code', 'rows': {'fct_practice_year': 'academic_year'}}) }}
with by_person_key_rows as (
    select
        f.academic_year,
        f.person_key,
        f.inst_code,
        f.discipline_code,
        f.is_at_first_census,
        f.is_at_second_census,
        f.is_participant,
        f.degree_type,
        f.is_continuing,
        f.is_continuing_at_second_census,
        case when f.discipline_code is not null then f.degree_point_id end as degree_point_id,
        count(*) over (partition by f.academic_year, f.person_key) as rows_of_key
    from {{ ref('fct_practice_year') }} as f
    where f.academic_year is not null and f.person_key is not null and {{ touched('f.academic_year') }}
),

by_person_key_alone as (
    select
        academic_year,
        inst_code,
        degree_point_id,
        discipline_code,
        count(*) filter (where is_at_first_census) as h08_at_first_census,
        count(*) filter (where is_at_second_census) as h08_at_second_census,
        count(*) filter (where is_participant) as h08_participants,
        count(*) filter (where degree_type = '2' and is_at_first_census) as h08b_at_first_census,
        count(*) filter (where degree_type = '2' and is_at_second_census) as h08b_at_second_census,
        count(*) filter (where degree_type = '2' and is_participant) as h08b_participants,
        count(*) filter (where is_at_first_census and is_continuing) as h08_continuing_at_first,
        count(*) filter (where is_at_second_census and is_continuing_at_second_census) as h08_continuing_at_second,
        count(*) filter (where is_participant and is_continuing) as h08_continuing_participants
    from by_person_key_rows
    where rows_of_key = 1
    group by academic_year, inst_code, degree_point_id, discipline_code
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
        academic_year,
        person_key,
        case grouping(inst_code, degree_point_id, cluster_code)
            when 7 then 'city'
            when 3 then 'institution'
            when 5 then 'degree_point'
            when 6 then 'cluster'
        end as grain,
        case grouping(inst_code, degree_point_id, cluster_code)
            when 7 then '{{ var("city_code") }}'
            when 3 then inst_code
            when 5 then degree_point_id
            when 6 then cluster_code
        end as unit_code,
        bool_or(is_at_first_census) as h08_at_first_census,
        bool_or(is_at_second_census) as h08_at_second_census,
        bool_or(is_participant) as h08_participants,
        bool_or(degree_type = '2' and is_at_first_census) as h08b_at_first_census,
        bool_or(degree_type = '2' and is_at_second_census) as h08b_at_second_census,
        bool_or(degree_type = '2' and is_participant) as h08b_participants,
        bool_or(is_at_first_census and is_continuing) as h08_continuing_at_first,
        bool_or(is_at_second_census and is_continuing_at_second_census) as h08_continuing_at_second,
        bool_or(is_participant and is_continuing) as h08_continuing_participants
    from by_person_key_repeated
    group by grouping sets (
        (academic_year, person_key),
        (academic_year, person_key, inst_code),
        (academic_year, person_key, degree_point_id),
        (academic_year, person_key, cluster_code)
    )
),

by_person_key_parts as (
    select
        academic_year,
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
        sum(h08_at_first_census) as h08_at_first_census,
        sum(h08_at_second_census) as h08_at_second_census,
        sum(h08_participants) as h08_participants,
        sum(h08b_at_first_census) as h08b_at_first_census,
        sum(h08b_at_second_census) as h08b_at_second_census,
        sum(h08b_participants) as h08b_participants,
        sum(h08_continuing_at_first) as h08_continuing_at_first,
        sum(h08_continuing_at_second) as h08_continuing_at_second,
        sum(h08_continuing_participants) as h08_continuing_participants
    from by_person_key_alone
    group by grouping sets (
        (academic_year),
        (academic_year, inst_code),
        (academic_year, degree_point_id)
    )

    union all

    select
        academic_year,
        grain,
        unit_code,
        count(*) filter (where h08_at_first_census) as h08_at_first_census,
        count(*) filter (where h08_at_second_census) as h08_at_second_census,
        count(*) filter (where h08_participants) as h08_participants,
        count(*) filter (where h08b_at_first_census) as h08b_at_first_census,
        count(*) filter (where h08b_at_second_census) as h08b_at_second_census,
        count(*) filter (where h08b_participants) as h08b_participants,
        count(*) filter (where h08_continuing_at_first) as h08_continuing_at_first,
        count(*) filter (where h08_continuing_at_second) as h08_continuing_at_second,
        count(*) filter (where h08_continuing_participants) as h08_continuing_participants
    from by_person_key_once
    group by academic_year, grain, unit_code

    union all

    select
        r.academic_year,
        'cluster' as grain,
        m.cluster_code as unit_code,
        sum(r.h08_at_first_census) as h08_at_first_census,
        sum(r.h08_at_second_census) as h08_at_second_census,
        sum(r.h08_participants) as h08_participants,
        sum(r.h08b_at_first_census) as h08b_at_first_census,
        sum(r.h08b_at_second_census) as h08b_at_second_census,
        sum(r.h08b_participants) as h08b_participants,
        sum(r.h08_continuing_at_first) as h08_continuing_at_first,
        sum(r.h08_continuing_at_second) as h08_continuing_at_second,
        sum(r.h08_continuing_participants) as h08_continuing_participants
    from by_person_key_alone as r
    inner join {{ ref('bridge_key_cluster') }} as m
        on m.discipline_code = r.discipline_code and m.is_matched
    group by r.academic_year, m.cluster_code
),

by_person_key as (
    select
        academic_year,
        academic_year as period_code,
        grain,
        unit_code,
        sum(h08_at_first_census) as h08_at_first_census,
        sum(h08_at_second_census) as h08_at_second_census,
        sum(h08_participants) as h08_participants,
        sum(h08b_at_first_census) as h08b_at_first_census,
        sum(h08b_at_second_census) as h08b_at_second_census,
        sum(h08b_participants) as h08b_participants,
        sum(h08_continuing_at_first) as h08_continuing_at_first,
        sum(h08_continuing_at_second) as h08_continuing_at_second,
        sum(h08_continuing_participants) as h08_continuing_participants
    from by_person_key_parts
    group by academic_year, grain, unit_code
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_person_key as c
cross join lateral (
    values
        ('H08', 1, cast(c.h08_participants as double precision), cast((c.h08_at_first_census + c.h08_at_second_census) / 2.0 as double precision), cast(null as double precision)),
        ('H08b', 1, cast(c.h08b_participants as double precision), cast((c.h08b_at_first_census + c.h08b_at_second_census) / 2.0 as double precision), cast(null as double precision)),
        ('H08c', 1, cast(c.h08_continuing_participants as double precision), cast((c.h08_continuing_at_first + c.h08_continuing_at_second) / 2.0 as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
