-- what the lists' measures ask of a thing: yes or no. Which measure of which item asks what is said by the seed list_measure_definition.
with projects as (
    select 'list_project' as source_entity_code, p.list_project_id as source_id, p.inst_code, p.cycle_year, a.*
    from {{ ref('fct_list_project') }} as p
    cross join lateral (
        values
            ('SCHOOL-ENTERPRISE', p.is_school_enterprise),
            ('CROSS-DISCIPLINE', p.is_cross_discipline),
            ('MULTI-INSTITUTION', p.is_multi_institution),
            ('DIGITAL', p.is_digital),
            ('FUNDED', p.is_funded),
            ('CLOSED-ON-TIME', case when p.due_close_on < {{ as_of() }} then p.is_closed_on_time end)
    ) as a (attribute_code, is_true)
),

teams as (
    select 'team', t.team_id, t.inst_code, {{ year_of('t.approved_on') }}, a.*
    from {{ ref('dim_team') }} as t
    cross join lateral (
        values ('CROSS-UNIT', t.is_cross_unit), ('SCHOOL-ENTERPRISE', t.is_school_enterprise), ('MULTI-INSTITUTION', t.is_multi_institution)
    ) as a (attribute_code, is_true)
    where t.list_project_id is not null
),

resources as (
    select 'teaching_resource', r.resource_id, r.inst_code, r.completed_year, a.*
    from {{ ref('fct_teaching_resource') }} as r
    cross join lateral (
        values ('ENTERPRISE', r.is_with_enterprise), ('COMPLETED', r.completed_year is not null)
    ) as a (attribute_code, is_true)
    where r.list_project_id is not null
),

entries as (
    select 'competition_entry', e.entry_id, e.inst_code, e.competition_year, a.*
    from {{ ref('fct_competition_entry') }} as e
    cross join lateral (
        values ('ENTERPRISE', e.is_with_enterprise), ('AWARDED', e.is_awarded)
    ) as a (attribute_code, is_true)
),

problems as (
    select distinct thesis_id from {{ ref('fct_thesis_sampling') }} where verdict_code = '2'
),

reviewed as (
    select thesis_id, bool_or(reviewer_kind = '30') as is_by_enterprise, max({{ year_of('reviewed_on') }}) as reviewed_year
    from {{ ref('fct_thesis_review') }}
    where reviewed_on <= {{ as_of() }}
    group by thesis_id
),

filed as (
    select inst_code, kind_code, min(issued_on) as first_filed_on
    from {{ ref('fct_policy_document') }}
    where kind_code in ('20', '30') and issued_on between cast('{{ var("plan_start") }}' as date) and {{ as_of() }}
    group by inst_code, kind_code
),

core as (
    select c.*, y.start_year
    from {{ ref('fct_core_course_year') }} as c
    inner join {{ ref('dim_academic_year') }} as y on y.academic_year = c.academic_year
    where c.is_core_1y and y.start_on <= {{ as_of() }} and y.start_year >= 2023
),

things as (
    select * from projects
    union all
    select * from teams
    union all
    select * from resources
    union all
    select * from entries
    union all
    select 'party_branch', branch_id, inst_code, supported_year, 'OPEN', is_open
    from {{ ref('fct_party_branch') }}
    where supported_year is not null
    union all
    select 'honour', h.honour_id, h.inst_code, {{ year_of('h.granted_on') }}, 'PROBLEM-FOUND', p.thesis_id is not null
    from {{ ref('fct_honour') }} as h
    left join problems as p on p.thesis_id = h.holder_id
    where h.holder_kind = 'X'
    union all
    -- the present state, in the year of the run
    select 'programme', p.programme_id, p.inst_code, p.calendar_year, 'LICENCE-LINKED', p.is_licence_linked
    from {{ ref('fct_programme_year') }} as p
    where p.degree_type = '2' and p.calendar_year = {{ this_year() }}
    union all
    select 'institution', d.inst_code, d.inst_code, {{ this_year() }}, 'DEGREE-STANDARD-FILED', f.inst_code is not null
    from (
        select distinct inst_code
        from {{ ref('dim_degree_point') }}
        where is_current and degree_type = '2' and degree_level in ('1', '2') and discipline_code between '0854' and '0861'
    ) as d
    left join filed as f on f.inst_code = d.inst_code and f.kind_code = '20'
    union all
    select 'institution', s.inst_code, s.inst_code, {{ this_year() }}, 'SUPERVISOR-STANDARD-FILED', f.inst_code is not null
    from (select distinct inst_code from {{ ref('dim_supervisor') }} where is_current) as s
    left join filed as f on f.inst_code = s.inst_code and f.kind_code = '30'
    union all
    select 'thesis', t.thesis_id, t.inst_code, r.reviewed_year, 'ENTERPRISE-REVIEWED', r.is_by_enterprise
    from {{ ref('fct_thesis') }} as t
    inner join reviewed as r on r.thesis_id = t.thesis_id
    where t.output_kind = '2' and t.discipline_code between '0854' and '0861'
    union all
    select 'course', c.academic_year || ':' || c.course_id, c.inst_code, c.start_year, a.*
    from core as c
    cross join lateral (
        values ('ELIMINATED', c.is_dropped), ('OVERDUE', not c.is_dropped and c.renewal_due_on <= {{ as_of() }})
    ) as a (attribute_code, is_true)
)

select
    source_entity_code,
    source_id,
    attribute_code,
    inst_code,
    {{ key('inst_code') }} as institution_key,
    cycle_year,
    is_true
from things
where is_true is not null
