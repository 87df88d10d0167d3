-- H05：由 `python -m yuyan.pages.documentation` 按 include/indicators 生成，请勿手工修改。
with by_person_key_rows as (
    select
        f.exam_year,
        f.person_key,
        f.inst_code,
        f.discipline_code,
        f.is_registered,
        f.is_urgent_discipline,
        count(*) over (partition by f.exam_year, f.person_key) as rows_of_key
    from {{ ref('fct_admission') }} as f
    where f.exam_year is not null and f.person_key is not null and {{ touched('f.exam_year') }}
),

by_person_key_alone as (
    select
        exam_year,
        inst_code,
        discipline_code,
        count(*) filter (where is_registered and is_urgent_discipline) as h05_urgent,
        count(*) filter (where is_registered) as h05_entrants
    from by_person_key_rows
    where rows_of_key = 1
    group by exam_year, inst_code, discipline_code
),

by_person_key_repeated as (
    select
        r.*
    from by_person_key_rows as r
    where r.rows_of_key > 1
),

by_person_key_once as (
    select
        exam_year,
        person_key,
        case grouping(inst_code, substr(discipline_code, 1, 2), discipline_code)
            when 7 then 'city'
            when 3 then 'institution'
            when 5 then 'category'
            when 6 then 'discipline'
            when 1 then 'institution_category'
            when 2 then 'institution_discipline'
        end as grain,
        case grouping(inst_code, substr(discipline_code, 1, 2), discipline_code)
            when 7 then '{{ var("city_code") }}'
            when 3 then inst_code
            when 5 then substr(discipline_code, 1, 2)
            when 6 then discipline_code
            when 1 then inst_code || '-' || substr(discipline_code, 1, 2)
            when 2 then inst_code || '-' || discipline_code
        end as unit_code,
        bool_or(is_registered and is_urgent_discipline) as h05_urgent,
        bool_or(is_registered) as h05_entrants
    from by_person_key_repeated
    group by grouping sets (
        (exam_year, person_key),
        (exam_year, person_key, inst_code),
        (exam_year, person_key, substr(discipline_code, 1, 2)),
        (exam_year, person_key, discipline_code),
        (exam_year, person_key, inst_code, substr(discipline_code, 1, 2)),
        (exam_year, person_key, inst_code, discipline_code)
    )
),

by_person_key_parts as (
    select
        exam_year,
        case grouping(inst_code, substr(discipline_code, 1, 2), discipline_code)
            when 7 then 'city'
            when 3 then 'institution'
            when 5 then 'category'
            when 6 then 'discipline'
            when 1 then 'institution_category'
            when 2 then 'institution_discipline'
        end as grain,
        case grouping(inst_code, substr(discipline_code, 1, 2), discipline_code)
            when 7 then '{{ var("city_code") }}'
            when 3 then inst_code
            when 5 then substr(discipline_code, 1, 2)
            when 6 then discipline_code
            when 1 then inst_code || '-' || substr(discipline_code, 1, 2)
            when 2 then inst_code || '-' || discipline_code
        end as unit_code,
        sum(h05_urgent) as h05_urgent,
        sum(h05_entrants) as h05_entrants
    from by_person_key_alone
    group by grouping sets (
        (exam_year),
        (exam_year, inst_code),
        (exam_year, substr(discipline_code, 1, 2)),
        (exam_year, discipline_code),
        (exam_year, inst_code, substr(discipline_code, 1, 2)),
        (exam_year, inst_code, discipline_code)
    )

    union all

    select
        exam_year,
        grain,
        unit_code,
        count(*) filter (where h05_urgent) as h05_urgent,
        count(*) filter (where h05_entrants) as h05_entrants
    from by_person_key_once
    group by exam_year, grain, unit_code
),

by_person_key as (
    select
        exam_year,
        cast(exam_year as text) as period_code,
        grain,
        unit_code,
        sum(h05_urgent) as h05_urgent,
        sum(h05_entrants) as h05_entrants
    from by_person_key_parts
    group by exam_year, grain, unit_code
),

by_person_key_ex as (
    select
        p.period_code,
        c.grain,
        c.unit_code,
        coalesce(sum(c.h05_urgent) filter (where c.exam_year = {{ var('base_year') }}), 0) as h05_urgent_base,
        coalesce(sum(c.h05_urgent) filter (where c.exam_year = p.period_year), 0) as h05_urgent,
        coalesce(sum(c.h05_urgent) filter (where c.exam_year = p.period_year - 1), 0) as h05_urgent_previous,
        coalesce(sum(c.h05_entrants) filter (where c.exam_year = {{ var('base_year') }}), 0) as h05_entrants_base,
        coalesce(sum(c.h05_entrants) filter (where c.exam_year = p.period_year), 0) as h05_entrants
    from {{ ref('ind_period') }} as p
    inner join by_person_key as c
        on c.exam_year between p.period_year - 3 and p.period_year or c.exam_year = {{ var('base_year') }}
    where p.period_basis = 'EX'
    group by p.period_code, c.grain, c.unit_code
)

select v.variant_code, v.definition_version, c.grain, c.unit_code, c.period_code,
    v.numerator, v.denominator, v.case_count
from by_person_key_ex as c
cross join lateral (
    values
        ('H05a', 1, cast(c.h05_urgent as double precision), cast(c.h05_urgent_base as double precision), cast(null as double precision)),
        ('H05b', 1, cast(c.h05_urgent as double precision), cast(c.h05_urgent_previous as double precision), cast(null as double precision)),
        ('H05c', 1, cast(c.h05_entrants as double precision), cast(c.h05_entrants_base as double precision), cast(null as double precision))
) as v (variant_code, definition_version, numerator, denominator, case_count)
where c.unit_code is not null and (v.numerator <> 0 or v.denominator <> 0)
