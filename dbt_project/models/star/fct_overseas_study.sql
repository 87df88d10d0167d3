select
    o.overseas_id,
    o.person_key,
    o.student_id,
    student_then.student_key,
    coalesce({{ institution_of('o.student_id') }}, {{ present_institution('o.inst_code') }}) as inst_code,
    {{ key("coalesce(" ~ institution_of('o.student_id') ~ ", " ~ present_institution('o.inst_code') ~ ")") }} as institution_key,
    o.scheme_code,
    scheme.name_zh as scheme_name,
    o.purpose_code,
    purpose.name_zh as purpose_name,
    o.country_code,
    o.selected_on,
    {{ year_of('o.selected_on') }} as selected_year,
    o.departed_on,
    coalesce(o.departed_on <= {{ as_of() }}, false) as is_departed,
    {{ academic_year('o.departed_on') }} as departed_academic_year,
    o.returned_on,
    o.credits_recognised,
    coalesce(o.credits_recognised > 0, false) as is_recognised
from {{ source('accepted', 'overseas_study') }} as o
{{ join_version_then('dim_student', 'o.student_id', 'o.selected_on') }}
{{ join_name('overseas_scheme', 'o.scheme_code', 'scheme') }}
{{ join_name('overseas_purpose', 'o.purpose_code', 'purpose') }}
