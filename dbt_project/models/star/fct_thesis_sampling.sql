with samplings as (
    select s.*, coalesce(s.verdict_on, {{ make_date('least(greatest(s.sampling_year, 1900), 9999)', 12, 31) }}) as judged_on
    from {{ source('accepted', 'thesis_sampling') }} as s
)

select
    s.sampling_id,
    s.sampling_year,
    {{ institution_of('s.degree_point_id') }} as inst_code,
    {{ key(institution_of('s.degree_point_id')) }} as institution_key,
    s.degree_point_id,
    degree_point_then.degree_point_key,
    degree_point_now.discipline_code,
    degree_point_now.degree_level,
    degree_point_now.degree_type,
    s.authority_code,
    authority.name_zh as authority_name,
    s.frame_ay as frame_academic_year,
    s.award_id,
    s.thesis_id,
    s.supervisor_id,
    supervisor_then.supervisor_key,
    s.stratum_code,
    s.inclusion_prob,
    1 / nullif(s.inclusion_prob, 0) as sampling_weight,
    s.is_targeted,
    s.verdict_code,
    verdict.name_zh as verdict_name,
    s.verdict_on,
    s.appeal_state,
    appeal_state.name_zh as appeal_state_name
from samplings as s
{{ join_versions('dim_degree_point', 's.degree_point_id', 's.judged_on') }}
{{ join_version_then('dim_supervisor', 's.supervisor_id', 's.judged_on') }}
{{ join_name('sampling_authority', 's.authority_code', 'authority') }}
{{ join_name('sampling_verdict', 's.verdict_code', 'verdict') }}
{{ join_name('appeal_state', 's.appeal_state', 'appeal_state') }}
