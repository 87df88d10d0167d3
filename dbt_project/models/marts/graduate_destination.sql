-- the detailed destination codes are counted with the code they detail, by their first two digits
with grouped as (
    select
        e.*,
        case
            when substr(e.destination_code, 1, 2) in ('10', '11', '12', '27', '46', '50', '51') then 'G1'
            when substr(e.destination_code, 1, 2) = '75' then 'G2'
            when substr(e.destination_code, 1, 2) = '76' then 'G3'
            when substr(e.destination_code, 1, 2) in ('80', '85') then 'G4'
            when substr(e.destination_code, 1, 2) in ('70', '71', '72') then 'G5'
            else '-'
        end as destination_group,
        case
            when e.region_code is null then '-'
            when e.is_in_chongqing then 'CQ'
            else 'OTHER'
        end as region_scope
    from {{ ref('fct_employment') }} as e
    where e.point_code in ('EP1', 'EP2')
),

counted as (
    select
        grad_year,
        point_code,
        min(status_on) as status_on,
        inst_code,
        {{ code_or_none('degree_level') }} as degree_level,
        {{ code_or_none('degree_type') }} as degree_type,
        destination_group,
        region_scope,
        count(*) as graduates,
        count(*) filter (where is_employed) as employed,
        count(*) filter (where is_employed and is_in_chongqing) as employed_in_chongqing,
        count(*) filter (where is_employed and is_key_post) as in_key_post,
        count(*) filter (where verify_state in ('2', '3')) as verified
    from grouped
    group by 1, 2, 4, 5, 6, 7, 8
)

select
    c.grad_year,
    c.point_code,
    case c.point_code when 'EP1' then '8月31日' else '12月31日' end as point_zh,
    case c.point_code when 'EP1' then '31 August' else '31 December' end as point_en,
    c.status_on,
    c.status_on as period_end_on,
    {{ completeness('c.status_on', ['c.point_code']) }},
    c.inst_code,
    institution.inst_name,
    institution.inst_order,
    {{ degree_columns('c') }},
    c.destination_group,
    {{ label_zh('destination_group.name_zh') }} as destination_group_zh,
    {{ label_en('destination_group.name_en') }} as destination_group_en,
    c.region_scope,
    case c.region_scope when 'CQ' then '重庆' when 'OTHER' then '市外' else '未填' end as region_scope_zh,
    case c.region_scope when 'CQ' then 'Chongqing' when 'OTHER' then 'Elsewhere' else 'Not reported' end as region_scope_en,
    cast(c.graduates as integer) as graduate_count,
    cast(c.employed as integer) as employed_count,
    cast(c.employed_in_chongqing as integer) as employed_in_chongqing_count,
    cast(c.in_key_post as integer) as key_post_count,
    cast(c.verified as integer) as verified_count,
    {{ provenance_columns() }}
from counted as c
{{ join_institution('c') }}
{{ join_degree_names('c') }}
{{ join_name('graduation_destination_group', 'c.destination_group', 'destination_group') }}
