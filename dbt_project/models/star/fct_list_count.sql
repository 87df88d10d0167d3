-- what counts towards an item, whatever entity it comes from; which does is said by the seed list_source
with things as (
    select
        'list_project' as source_entity, list_project_id as source_id, list_item_id, null as kind_code, null as level_code,
        close_result_code as result_code, category_code as group_code, inst_code, cycle_year, approved_on as counted_on
    from {{ ref('fct_list_project') }}

    union all

    select
        'policy_document', doc_id, list_item_id, kind_code, null, null, inst_code, inst_code,
        coalesce(edition_year, {{ year_of('issued_on') }}), issued_on
    from {{ ref('fct_policy_document') }}

    union all

    select 'honour', honour_id, null, honour_code, level_code, null, null, inst_code, null, granted_on
    from {{ ref('fct_honour') }}

    union all

    select
        'urgent_discipline_list', urgent_list_id, null, null, null, null, cast(edition_year as text), null,
        cast(edition_year as integer), published_on
    from {{ ref('dim_urgent_list') }}

    union all

    select
        'platform_base', platform_id, list_item_id, platform_kind_code, level_code, null, null, inst_code,
        {{ year_of('opened_on') }}, opened_on
    from {{ ref('dim_platform') }}
    where opened_on is not null

    union all

    select
        'mentor_pool_entry', pool_entry_id, null, entry_kind, null, null, person_key, inst_code, null, first_appointed_on
    from {{ ref('fct_mentor_pool_entry') }}
    where first_appointed_on is not null

    union all

    -- what a list project brings forth counts in the project's cycle
    select 'team', t.team_id, p.list_item_id, t.team_kind, t.level_code, null, null, t.inst_code, p.cycle_year, t.approved_on
    from {{ ref('dim_team') }} as t
    inner join {{ ref('fct_list_project') }} as p on p.list_project_id = t.list_project_id

    union all

    select 'teaching_resource', r.resource_id, p.list_item_id, r.kind_code, r.level_code, null, null, r.inst_code, p.cycle_year, p.approved_on
    from {{ ref('fct_teaching_resource') }} as r
    inner join {{ ref('fct_list_project') }} as p on p.list_project_id = r.list_project_id

    union all

    select 'party_branch', branch_id, null, basis_kind_code, null, null, basis_kind_code, inst_code, supported_year, established_on
    from {{ ref('fct_party_branch') }}
    where supported_year is not null

    union all

    select
        'competition_entry', entry_id, null, competition_code, award_level_code, null, session_code, inst_code, competition_year, held_on
    from {{ ref('fct_competition_entry') }}
)

select
    item.list_item_key,
    s.item_code as list_item_id,
    s.doc_version,
    t.source_entity as source_entity_code,
    t.source_id,
    case s.counts when 'GROUPS' then t.group_code else t.source_id end as counted_id,
    t.inst_code,
    {{ key('t.inst_code') }} as institution_key,
    t.cycle_year,
    t.counted_on
from {{ ref('list_source') }} as s
inner join things as t
    on t.source_entity = s.source_entity
    and (t.list_item_id is null or t.list_item_id = s.item_code)
    and (s.kind_code is null or s.kind_code = t.kind_code)
    and (s.level_code is null or s.level_code = t.level_code)
    and (s.result_code is null or s.result_code = t.result_code)
inner join {{ ref('dim_list_item') }} as item on item.list_item_id = s.item_code and item.doc_version = s.doc_version
where s.counts in ('ROWS', 'GROUPS') and case s.counts when 'GROUPS' then t.group_code else t.source_id end is not null
