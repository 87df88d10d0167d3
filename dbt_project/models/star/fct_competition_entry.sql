select
    e.entry_id,
    e.competition_code,
    competition.name_zh as competition_name,
    e.competition_year,
    e.competition_code || '-' || e.competition_year as session_code,
    e.held_on,
    {{ institution_of('e.lead_student_id') }} as inst_code,
    {{ key(institution_of('e.lead_student_id')) }} as institution_key,
    e.lead_student_id,
    student_then.student_key,
    e.student_cnt as student_count,
    e.supervisor_cnt as supervisor_count,
    e.enterprise_uscc,
    {{ enterprise_key('e.enterprise_uscc') }} as enterprise_key,
    e.enterprise_uscc is not null as is_with_enterprise,
    e.award_level as award_level_code,
    award_level.name_zh as award_level_name,
    e.award_level is not null as is_awarded
from {{ source('accepted', 'competition_entry') }} as e
{{ join_version_then('dim_student', 'e.lead_student_id', 'e.held_on') }}
{{ join_name('competition', 'e.competition_code', 'competition') }}
{{ join_name('competition_award', 'e.award_level', 'award_level') }}
