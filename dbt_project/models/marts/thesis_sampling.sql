with samplings as (
    select
        s.sampling_year,
        s.inst_code,
        {{ code_or_none('s.degree_level') }} as degree_level,
        {{ code_or_none('s.degree_type') }} as degree_type,
        {{ code_or_none('d.category_code') }} as category_code,
        max(d.category_name) as category_zh,
        count(*) filter (where s.authority_code in ('1', '2')) as drawn,
        count(*) filter (where s.authority_code in ('1', '2') and s.is_targeted) as targeted,
        {% for name, code in {'passed': '1', 'problem': '2', 'pending': '0', 'exempt': '9'}.items() -%}
        count(*) filter (where s.authority_code in ('1', '2') and s.verdict_code = '{{ code }}') as {{ name }},
        {% endfor -%}
        count(*) filter (where s.authority_code not in ('1', '2')) as self_sampled,
        sum(s.sampling_weight) filter (
            where s.authority_code in ('1', '2') and not s.is_targeted and s.verdict_code = '1'
        ) as passed_weight,
        sum(s.sampling_weight) filter (
            where s.authority_code in ('1', '2') and not s.is_targeted and s.verdict_code in ('1', '2')
        ) as judged_weight
    from {{ ref('fct_thesis_sampling') }} as s
    left join {{ ref('dim_discipline') }} as d on d.discipline_code = s.discipline_code
    group by 1, 2, 3, 4, 5
)

select
    s.sampling_year,
    {{ make_date('s.sampling_year', 12, 31) }} as period_end_on,
    {{ completeness(make_date('s.sampling_year', 12, 31)) }},
    s.inst_code,
    institution.inst_name,
    institution.inst_order,
    {{ degree_columns('s') }},
    s.category_code,
    {{ label_zh('s.category_zh') }} as category_zh,
    {{ label_en('category.discipline_name_en') }} as category_en,
    cast(s.drawn as integer) as drawn_count,
    cast(s.targeted as integer) as targeted_count,
    cast(s.passed as integer) as passed_count,
    cast(s.problem as integer) as problem_count,
    cast(s.pending as integer) as pending_count,
    cast(s.exempt as integer) as exempt_count,
    cast(s.self_sampled as integer) as self_sampled_count,
    cast(coalesce(s.passed_weight, 0) as double precision) as weighted_passed,
    cast(coalesce(s.judged_weight, 0) as double precision) as weighted_judged,
    cast(coalesce(s.passed_weight, 0) / nullif(s.judged_weight, 0) as double precision) as weighted_pass_share,
    {{ provenance_columns() }}
from samplings as s
{{ join_institution('s') }}
{{ join_degree_names('s') }}
left join {{ ref('dim_discipline') }} as category on category.discipline_code = s.category_code
