select
    s.response_id,
    s.survey_year,
    s.instrument_version,
    s.employer_uscc,
    {{ enterprise_key('s.employer_uscc') }} as enterprise_key,
    coalesce({{ institution_of('s.degree_point_id') }}, s.inst_code) as inst_code,
    {{ key("coalesce(" ~ institution_of('s.degree_point_id') ~ ", s.inst_code)") }} as institution_key,
    s.degree_point_id,
    degree_point_then.degree_point_key,
    degree_point_now.discipline_code,
    s.overall_score,
    s.design_weight,
    s.design_weight * s.overall_score as weighted_score,
    s.collected_on
from {{ source('accepted', 'employer_survey') }} as s
{{ join_versions('dim_degree_point', 's.degree_point_id', 's.collected_on') }}
