with counted as (
    select
        academic_year,
        term_code,
        inst_code,
        {{ code_or_none('partner_inst_code') }} as partner_inst_code,
        bool_or(is_sichuan_partner) as is_sichuan,
        count(*) as enrolment_count,
        count(distinct course_id) as course_count,
        count(*) filter (where is_passed) as passed_count,
        coalesce(sum(credits_earned), 0) as credits_earned,
        coalesce(sum(credits_recognised), 0) as credits_recognised
    from {{ ref('fct_course_enrolment') }}
    where is_cross_institution
    group by 1, 2, 3, 4
)

select
    c.academic_year,
    c.term_code,
    {{ label_zh('term.name_zh') }} as term_zh,
    {{ label_en('term.name_en') }} as term_en,
    y.end_on as period_end_on,
    {{ completeness('y.end_on') }},
    c.inst_code,
    institution.inst_name,
    institution.inst_order,
    c.partner_inst_code,
    coalesce(partner.inst_name, c.partner_inst_code) as partner_inst_name,
    c.is_sichuan,
    cast(c.enrolment_count as integer) as enrolment_count,
    cast(c.course_count as integer) as course_count,
    cast(c.passed_count as integer) as passed_count,
    cast(c.credits_earned as double precision) as credits_earned,
    cast(c.credits_recognised as double precision) as credits_recognised,
    cast(c.credits_recognised as double precision) / nullif(cast(c.credits_earned as double precision), 0) as recognised_share,
    {{ provenance_columns() }}
from counted as c
inner join {{ ref('dim_academic_year') }} as y on y.academic_year = c.academic_year
left join {{ ref('dim_institution') }} as partner on partner.inst_code = c.partner_inst_code
{{ join_institution('c') }}
{{ join_name('term', 'c.term_code', 'term') }}
