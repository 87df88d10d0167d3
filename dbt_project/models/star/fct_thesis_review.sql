{{ config(follows={'key': 'review_id', 'rows': {'thesis_review': 'review_id'}, 'looks_up': {'fct_thesis': 'thesis_id'}}) }}
-- Institution of record: the thesis's.
select
    r.review_id,
    r.thesis_id,
    coalesce(thesis.inst_code, r.src_inst_code) as inst_code,
    {{ key('coalesce(thesis.inst_code, r.src_inst_code)') }} as institution_key,
    thesis.degree_point_id,
    thesis.degree_point_key,
    thesis.discipline_code,
    r.round_no,
    r.review_kind,
    review_kind.name_zh as review_kind_name,
    r.reviewer_kind,
    reviewer_kind.name_zh as reviewer_kind_name,
    r.result_code,
    result.name_zh as result_name,
    r.result_code in ('1', '2') as is_passed,
    r.score,
    r.reviewed_on,
    {{ academic_year('r.reviewed_on') }} as academic_year
from {{ source('accepted', 'thesis_review') }} as r
left join {{ ref('fct_thesis') }} as thesis on thesis.thesis_id = r.thesis_id
{{ join_name('review_kind', 'r.review_kind', 'review_kind') }}
{{ join_name('reviewer_kind', 'r.reviewer_kind', 'reviewer_kind') }}
{{ join_name('review_result', 'r.result_code', 'result') }}
where {{ touched('r.review_id') }}
