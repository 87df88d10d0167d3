{#
  Core courses and their renewals (M06.1), as the CTEs `courses`, `renewals` and `taught` that fct_core_course_year and list_progress begin with. A renewal
  changes enough of the content and has been taught since; a term is written yyyy-yyyy-n, so that terms compare as text.
#}
{% macro core_course_renewals() -%}
courses as (
    select
        course_id,
        inst_code,
        {{ code_or_none('unit_code') }} as unit_code,
        coalesce(core_from_on, active_from_on, cast('1900-01-01' as date)) as core_from_on,
        coalesce(core_to_on, active_to_on, cast('9999-12-31' as date)) as core_to_on
    from {{ ref('dim_course') }}
    where is_core or core_to_on is not null
),

-- what M06.1 counts as renewal: new and dropped courses are changed altogether and report no share
renewals as (
    select revision_id, course_id, revision_kind, effective_term, substr(effective_term, 1, 9) as academic_year
    from {{ ref('fct_course_revision') }}
    where (revision_kind in ('2', '5') and changed_content_share >= {{ var('renewal_share_minimum') }})
        or (revision_kind in ('1', '4') and coalesce(changed_content_share, 1) >= {{ var('renewal_share_minimum') }})
),

-- the years in which a renewed course was taught as renewed, and the year in which one was dropped
taught as (
    select distinct r.course_id, r.effective_term as renewed_term, r.academic_year as renewed_year, o.academic_year as taught_year
    from renewals as r
    inner join {{ ref('fct_course_offering') }} as o on o.course_id = r.course_id
    where r.revision_kind <> '4'
        and (o.revision_id = r.revision_id or o.academic_year || '-' || coalesce(o.term_code, '9') >= r.effective_term)

    union

    select course_id, effective_term, academic_year, academic_year
    from renewals
    where revision_kind = '4'
)
{%- endmacro %}

{# Whether codes joined by ';' have one of these among them. #}
{% macro has_tag(codes, wanted) -%}
    ({% for code in wanted %}';' || {{ codes }} || ';' like '%;{{ code }};%'{{ ' or ' if not loop.last }}{% endfor %})
{%- endmacro %}
