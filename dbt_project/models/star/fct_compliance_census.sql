{{ config(follows={'key': 'student_id', 'rows': {'fct_enrolment_census': 'student_id', 'compliance_training': 'student_id'}}) }}
-- M02.1, M08.3: who in study on the census date must have been taught standards and safety, passed all of it and still may enter the laboratory.
-- Of a kind that is passed again each year one valid record is enough; what is passed later gives no access on that day.
with trained as (
    select
        c.census_year,
        c.student_id,
        count(distinct t.kind_code) filter (where t.required) as required_count,
        count(distinct t.kind_code) filter (
            where t.required and t.passed_on <= c.census_on and (t.valid_to is null or t.valid_to >= c.census_on)
        ) as valid_count,
        coalesce(bool_or(
            t.kind_code = '10' and t.lab_access_granted and (t.passed_on is null or t.passed_on <= c.census_on)
        ), false) as has_lab_access,
        coalesce(bool_or(
            t.kind_code = '10' and t.passed_on <= c.census_on and (t.valid_to is null or t.valid_to >= c.census_on)
        ), false) as is_safety_valid
    from {{ ref('fct_enrolment_census') }} as c
    inner join {{ source('accepted', 'compliance_training') }} as t on t.student_id = c.student_id
    where c.census_year >= 2021 and {{ touched('t.student_id') }}
    group by c.census_year, c.student_id
)

select
    c.census_on,
    c.census_year,
    c.student_id,
    c.student_key,
    c.person_key,
    c.inst_code,
    c.institution_key,
    c.degree_point_id,
    c.degree_point_key,
    c.discipline_code,
    c.degree_level,
    c.degree_type,
    t.required_count > 0 as is_required,
    t.required_count > 0 and t.valid_count = t.required_count as is_compliant,
    t.has_lab_access,
    t.has_lab_access and t.is_safety_valid as is_lab_access_valid
from trained as t
inner join {{ ref('fct_enrolment_census') }} as c on c.census_year = t.census_year and c.student_id = t.student_id
