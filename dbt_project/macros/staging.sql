{# One record of an entity: its last accepted version, typed. Mechanical; business logic starts in the star. #}
{% macro staging(entity) -%}
    select * from {{ source('accepted', entity) }}
{%- endmacro %}

{# Every accepted version of an entity's records, deletions included: what type 2 dimensions are built from. #}
{% macro staging_versions(entity) -%}
    select * from {{ source('accepted', entity ~ '_versions') }}
{%- endmacro %}
