select
    e.eval_id,
    {{ institution_of('e.degree_point_id') }} as inst_code,
    {{ key(institution_of('e.degree_point_id')) }} as institution_key,
    e.degree_point_id,
    degree_point_then.degree_point_key,
    degree_point_now.discipline_code,
    degree_point_now.degree_level,
    degree_point_now.degree_type,
    e.eval_kind as eval_kind_code,
    eval_kind.name_zh as eval_kind_name,
    e.eval_round,
    e.result_code,
    result.name_zh as result_name,
    e.result_code in ('20', '30') as is_failed,
    e.decided_on,
    {{ year_of('e.decided_on') }} as decided_year,
    e.due_on,
    e.doc_no
from {{ source('accepted', 'evaluation_result') }} as e
{{ join_versions('dim_degree_point', 'e.degree_point_id', 'e.decided_on') }}
{{ join_name('evaluation_kind', 'e.eval_kind', 'eval_kind') }}
{{ join_name('evaluation_result', 'e.result_code', 'result') }}
