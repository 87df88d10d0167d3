-- H07: teams and results of province level or above that were granted since the plan began, in every calendar year since
with years as (
    select calendar_year, date_on as year_end_on
    from {{ ref('dim_date') }}
    where month_number = 12 and day_number = 31 and calendar_year <= {{ this_year() }}
)

select
    y.calendar_year,
    a.achievement_id,
    a.canonical_id,
    a.inst_code,
    a.institution_key,
    a.kind_code,
    a.level_code,
    a.granted_on,
    a.credit_share
from years as y
inner join {{ ref('fct_achievement') }} as a on a.granted_on <= y.year_end_on
where a.granted_on >= cast('{{ var("plan_start") }}' as date)
    and a.granted_on <= {{ as_of() }}
    and a.level_code in ('10', '20', '21', '22', '23')
    and a.is_graduate_education_related
