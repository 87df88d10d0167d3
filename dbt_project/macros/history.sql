{#
  Type 2 history of an entity: one row per natural key and change of any tracked column, from every accepted version.

  Columns: the natural key, the tracked columns, src_inst_code, version_number, valid_from, valid_to (both inclusive),
  is_current. A day's last version counts. The first version is valid from 1900-01-01. The last is valid to 9999-12-31, or
  to the day before its record was deleted or took another natural key. Current is the last version of a key that is
  accepted now. There is no snapshot state: dropping the table loses nothing.
#}
{% macro history(entity, natural_key, tracked) %}
    with versions as (
        select
            v.*,
            lead(v.as_of) over (
                partition by v.src_inst_code, v.src_record_id order by v.source_version, v.raw_id
            ) as record_next_on
        from {{ source('accepted', entity ~ '_versions') }} as v
        where {{ made_in_part("(v.src_inst_code, v.src_record_id) in (select k.src_inst_code, k.src_record_id from "
            ~ source('accepted', entity ~ '_versions') ~ " as k where " ~ is_touched('k.' ~ natural_key) ~ ")") }}
    ),

    numbered as (
        select
            v.*,
            md5(concat_ws(
                '|'{% for column in tracked %}, coalesce(cast(v.{{ column }} as text), '~'){% endfor %}
            )) as tracked_hash,
            row_number() over (partition by v.{{ natural_key }}, v.as_of order by v.raw_id desc) as recency,
            first_value(v.record_next_on) over (
                partition by v.{{ natural_key }} order by v.as_of desc, v.raw_id desc
            ) as ended_on
        from versions as v
        where not v.is_deleted and v.{{ natural_key }} is not null and {{ touched('v.' ~ natural_key) }}
    ),

    compared as (
        select n.*, lag(n.tracked_hash) over (partition by n.{{ natural_key }} order by n.as_of) as hash_before
        from numbered as n
        where n.recency = 1
    ),

    changes as (
        select
            c.*,
            row_number() over (partition by c.{{ natural_key }} order by c.as_of) as version_number,
            lead(c.as_of) over (partition by c.{{ natural_key }} order by c.as_of) as next_on
        from compared as c
        where c.hash_before is null or c.hash_before <> c.tracked_hash
    ),

    periods as (
        select
            c.*,
            case when c.version_number = 1 then cast('1900-01-01' as date) else c.as_of end as valid_from
        from changes as c
    )

    select
        p.{{ natural_key }},
        {% for column in tracked %}p.{{ column }},
        {% endfor %}p.src_inst_code,
        cast(p.version_number as integer) as version_number,
        p.valid_from,
        greatest(
            p.valid_from,
            coalesce({{ add_days('coalesce(p.next_on, p.ended_on)', -1) }}, cast('9999-12-31' as date))
        ) as valid_to,
        p.next_on is null and accepted.{{ natural_key }} is not null as is_current
    from periods as p
    left join {{ source('accepted', entity) }} as accepted on accepted.{{ natural_key }} = p.{{ natural_key }}
{% endmacro %}
