{# Runs up to the run's date that assessed data quality, the newest first. #}
{% macro assessed_runs(table) -%}
    select
        r.run_id,
        r.as_of,
        row_number() over (order by r.as_of desc, r.started_at desc) as recency,
        row_number() over (
            partition by extract(year from r.as_of), extract(month from r.as_of)
            order by r.as_of desc, r.started_at desc
        ) as recency_in_month
    from {{ source('ops', 'run') }} as r
    where r.as_of <= {{ as_of() }}
        and exists (select 1 from {{ source('quality', table) }} as a where a.run_id = r.run_id)
{%- endmacro %}
