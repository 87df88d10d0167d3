select
    s.target_kind as target_kind_code,
    target.name_zh as target_kind_zh,
    target.name_en as target_kind_en,
    s.target_code,
    s.inst_code,
    institution.inst_name,
    institution.inst_order,
    s.rule_code,
    rule.name_zh as rule_zh,
    rule.name_en as rule_en,
    s.signal_code,
    {{ label_zh('signal.name_zh') }} as signal_zh,
    {{ label_en('signal.name_en') }} as signal_en,
    {{ code_or_none('s.pillar_code') }} as pillar_code,
    {{ label_zh('pillar.name_zh') }} as pillar_zh,
    {{ label_en('pillar.name_en') }} as pillar_en,
    s.period_year,
    {{ make_date('s.period_year', 12, 31) }} as period_end_on,
    {{ completeness(make_date('s.period_year', 12, 31)) }},
    s.is_current,
    s.signal_code = 'ALL' as is_verdict,
    s.source_variant,
    s.numerator,
    s.denominator,
    s.value,
    s.lcl95,
    s.ucl95,
    s.benchmark as benchmark_value,
    s.standardised as standardised_value,
    s.contribution,
    s.probability,
    s.q_value,
    s.level_code,
    level.name_zh as level_zh,
    level.name_en as level_en,
    s.reason_zh as reason,
    s.parameter_version,
    s.rule_version,
    s.run_id,
    s.as_of,
    {{ provenance_columns() }}
from {{ source('accountability', 'warning_signal') }} as s
{{ join_institution('s') }}
{{ join_name('case_target', 's.target_kind', 'target') }}
{{ join_name('warning_rule', 's.rule_code', 'rule') }}
{{ join_name('warning_signal', 's.signal_code', 'signal') }}
{{ join_name('warning_pillar', 's.pillar_code', 'pillar') }}
{{ join_name('warning_level', 's.level_code', 'level') }}
where not s.is_restricted
