-- Institution of record: the sampled thesis's degree point; without an accepted sampling, the sampling's own number cannot say it
-- and the review stays with the commission, which reports it.
select
    r.review_id,
    r.sampling_id,
    sampling.sampling_year,
    {{ present_institution('coalesce(sampling.inst_code, r.src_inst_code)') }} as inst_code,
    {{ key(present_institution('coalesce(sampling.inst_code, r.src_inst_code)')) }} as institution_key,
    sampling.degree_point_id,
    degree_point_then.degree_point_key,
    sampling.discipline_code,
    r.round_no,
    r.expert_key,
    r.opinion_code,
    opinion.name_zh as opinion_name,
    {{ joined('r.reason_codes') }} as reason_codes,
    {{ item_count('r.reason_codes') }} as reason_count,
    r.reviewed_on
from {{ source('accepted', 'thesis_sampling_review') }} as r
left join {{ ref('fct_thesis_sampling') }} as sampling on sampling.sampling_id = r.sampling_id
{{ join_version_then('dim_degree_point', 'sampling.degree_point_id', 'r.reviewed_on') }}
{{ join_name('thesis_expert_opinion', 'r.opinion_code', 'opinion') }}
