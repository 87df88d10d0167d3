select
    c.rule_code,
    rule.name_zh as rule_zh,
    rule.name_en as rule_en,
    c.alarm_year,
    c.judged as judged_count,
    c.alarms as alarm_count,
    c.expected_false_alarms as expected_false_alarm_count,
    c.followed as followed_count,
    c.problems as problem_count,
    c.positive_predictive_value,
    c.false_alarm_rate,
    c.detection as detection_rate,
    c.parameter_version,
    c.run_id,
    {{ as_of() }} as as_of,
    {{ provenance_columns() }}
from {{ source('accountability', 'warning_calibration') }} as c
{{ join_name('warning_rule', 'c.rule_code', 'rule') }}
