{{ config(follows={'key': 'unit_code', 'rows': {'ind_counted_*': 'unit_code', 'ind_unit': 'unit_code'}}) }}
with counted as (
    select * from {{ ref('ind_counted') }} where {{ touched('unit_code') }}
),

-- the periods of every variant in every version of its definition
variant_periods as (
    select
        i.variant_code, i.definition_version, i.value_kind, i.grains,
        i.comparator = 'BASE-YEAR' and p.period_year = {{ var('base_year') }} as is_own_base,
        p.period_basis, p.period_code, p.period_year, p.start_on, p.end_on, p.is_complete
    from {{ ref('indicator') }} as i
    inner join {{ ref('ind_period') }} as p on p.period_basis = i.period_basis and p.start_year >= i.first_year
),

-- the city and institutions: a row whether something was counted or not
grid as (
    select v.*, u.grain, u.unit_code
    from variant_periods as v
    inner join {{ ref('ind_unit') }} as u
        on u.grain in ('city', 'institution') and ';' || v.grains || ';' like '%;' || u.grain || ';%'
    where {{ touched('u.unit_code') }}
),

-- finer units: a row where something was counted
finer as (
    select v.*, c.grain, c.unit_code, c.numerator, c.denominator
    from counted as c
    inner join variant_periods as v
        on v.variant_code = c.variant_code
        and v.definition_version = c.definition_version
        and v.period_code = c.period_code
        and ';' || v.grains || ';' like '%;' || c.grain || ';%'
    inner join {{ ref('ind_unit') }} as u on u.grain = c.grain and u.unit_code = c.unit_code
    where c.grain not in ('city', 'institution')
),

reported as (
    select g.*, c.numerator, c.denominator
    from grid as g
    left join counted as c
        on c.variant_code = g.variant_code
        and c.definition_version = g.definition_version
        and c.grain = g.grain
        and c.unit_code = g.unit_code
        and c.period_code = g.period_code
    union all
    select * from finer
),

-- nothing counted is a zero, except for an index, which then does not exist
completed as (
    select
        variant_code, definition_version, grain, unit_code, period_basis, period_code, period_year, start_on, end_on,
        is_complete, value_kind, is_own_base,
        case when value_kind = 'index' then numerator else coalesce(numerator, 0) end as numerator,
        case
            when value_kind = 'count' then null
            when value_kind = 'index' then denominator
            else coalesce(denominator, 0)
        end as denominator
    from reported
)

select
    variant_code,
    definition_version,
    grain,
    unit_code,
    period_basis,
    period_code,
    period_year,
    start_on as period_start_on,
    end_on as period_end_on,
    is_complete,
    value_kind,
    numerator,
    denominator,
    {{ value_of('numerator', 'denominator', 'value_kind', 'period_year', 'is_own_base') }} as value
from completed
