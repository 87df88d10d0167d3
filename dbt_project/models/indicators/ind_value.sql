{{ check_indicator_models() }}
with counted as (
    {% for model in indicator_models() -%}
    select * from {{ ref(model) }}{{ ' union all' if not loop.last }}
    {% endfor %}
),

-- every variant in every unit and period, whether something was counted there or not
grid as (
    select
        i.variant_code, i.value_kind, u.grain, u.unit_code,
        p.period_basis, p.period_code, p.period_year, p.start_on, p.end_on, p.is_complete
    from {{ ref('indicator') }} as i
    inner join {{ ref('ind_period') }} as p on p.period_basis = i.period_basis and p.start_year >= i.first_year
    inner join {{ ref('ind_unit') }} as u on ';' || i.grains || ';' like '%;' || u.grain || ';%'
),

-- nothing counted is a zero, except for an index, which then does not exist
completed as (
    select
        g.*,
        case when g.value_kind = 'index' then c.numerator else coalesce(c.numerator, 0) end as numerator,
        case
            when g.value_kind = 'count' then null
            when g.value_kind = 'index' then c.denominator
            else coalesce(c.denominator, 0)
        end as denominator
    from grid as g
    left join counted as c
        on c.variant_code = g.variant_code
        and c.grain = g.grain
        and c.unit_code = g.unit_code
        and c.period_code = g.period_code
)

select
    variant_code,
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
    case
        when value_kind = 'count' then numerator
        when value_kind in ('ratio', 'index') then numerator / nullif(denominator, 0)
        when denominator <= 0 or numerator < 0 then null
        when value_kind = 'growth' then numerator / denominator - 1
        when value_kind = 'cagr' and period_year > {{ var('base_year') }}
            then power(numerator / denominator, 1.0 / (period_year - {{ var('base_year') }})) - 1
    end as value
from completed
