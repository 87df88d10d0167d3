{#
  How this project makes tables and views, in place of dbt's own way: the same contract, indexes and comments, in a few round
  trips instead of some fifteen. A table of which nothing that it reads has changed stays as it is; a model that follows keys is
  made anew in their rows only (follow.sql). Otherwise a relation is made beside its place and takes it in the same
  transaction; what read the one before (views) goes with it and is made again by its own model.
#}
{% materialization table, adapter='postgres' %}
    {%- set target = this.incorporate(type='table') -%}
    {%- set plan = plan_of(target, sql) -%}

    {% if plan.way == 'unchanged' %}
        {% call statement('seen') %}update ops.table_version set as_of = {{ as_of() }} where relation = '{{ plan.name }}'{% endcall %}
        {% call noop_statement('main', 'UNCHANGED') %}{% endcall %}
    {% elif plan.way == 'in_part' %}
        {%- set made_in_part = make_in_part(target, sql, plan) %}
        {% call statement('made') %}{{ made_in_part if plan.has_empty else with_bare_keys(made_in_part) }}{% endcall %}
        {% call noop_statement('main', 'IN PART') %}{% endcall %}
    {% else %}
        {{ make_whole(target, sql, plan) }}
    {% endif %}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{% macro make_whole(target, sql, plan) %}
    {%- set made = beside(target) -%}
    {%- set columns, notes = model.columns.keys() | join(', '), '' -%}
    {%- set keys = adapter.render_raw_model_constraints(raw_constraints=model['constraints']) -%}
    {{ run_hooks(pre_hooks) }}
    {% call statement('shape') -%}
        drop table if exists {{ made }} cascade;
        create table {{ made }} ({{ adapter.render_raw_columns_constraints(raw_columns=model['columns']) | join(', ') }});
        {{ assert_contract(made, sql) }}
    {%- endcall %}
    {% call statement('main') -%}
        insert into {{ made }} ({{ columns }}) select {{ columns }} from ({{ sql }}) as made
    {%- endcall %}
    {% if plan.read is defined %}
        {% call statement('digest', fetch_result=True) -%}
            select cast(coalesce(sum(hash_record_extended(m, 0)), 0) as text) from {{ made }} as m
        {%- endcall %}
        {% set digest = load_result('digest').data[0][0] %}
        {% set notes = note_whole(plan, made, target, digest) %}
    {% endif %}
    {% call statement('place') -%}
        {{ notes }}
        {%- for key in keys %}
        alter table {{ made }} add {{ key }};
        {%- endfor %}
        {%- for index in config.get('indexes', default=[]) %}
        {{ get_create_index_sql(made, index) }};
        {%- endfor %}
        {{ take_place(made, target) }}
        {%- if keys %}
        alter table {{ target }} rename constraint {{ made.identifier }}_pkey to {{ target.identifier }}_pkey;
        {%- endif %}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
{% endmacro %}

{# A test that passed passes again while nothing that it reads has changed. Otherwise it is asked again: of the rows that may
  be others, where it says which (touched_rows) and its table follows what has changed; else of all. #}
{% materialization test, adapter='postgres' %}
    {%- set inputs = inputs_of(model) -%}
    {%- set plan = namespace(name=model.unique_id, made_from=local_md5(var('as_of')[:4] ~ without_day(sql) ~ inputs.views | join ~ (var('as_of') if as_of() in sql else '') ~ (var('seeds_digest', '') if inputs.seed else ''))) -%}
    {%- set state = state_of(plan.name, inputs.tables, plan.made_from, 'true') -%}
    {%- set plan.read = state.read -%}
    {%- set is_known, changed = state.is_same and not inputs.unnoticed, changed_of(state.read) -%}
    {% if is_known and not changed %}
        {% call statement('main', fetch_result=True) %}select 0 as failures, false as should_warn, false as should_error{% endcall %}
    {% else %}
        {%- set asked = of_touched_rows(sql, state.read, changed) if is_known else sql -%}
        {% call statement('main', fetch_result=True) %}
            {{ get_test_sql(get_limit_subquery_sql(asked, config.get('limit')), config.get('fail_calc'), config.get('warn_if'), config.get('error_if'), limit=none) }}
        {% endcall %}
        {% set is_passed = load_result('main').data[0][0] == 0 %}
        {% call statement('noted') %}
            insert into ops.table_version (relation, version, made_from)
            values ('{{ plan.name }}', 0, {{ "'" ~ plan.made_from ~ "'" if is_passed else 'null' }})
            on conflict (relation) do update set made_from = excluded.made_from;
            {{ note_read(plan) }}
        {% endcall %}
    {% endif %}
    {{ adapter.commit() }}
    {{ return({'relations': []}) }}
{% endmaterialization %}

{% materialization view, adapter='postgres' %}
    {%- set target = this.incorporate(type='view') -%}
    {%- set made = beside(target) -%}

    {{ run_hooks(pre_hooks) }}
    {% call statement('main') -%}
        drop view if exists {{ made }} cascade;
        create view {{ made }} as ({{ sql }});
        {{ assert_contract(made, sql) if config.get('contract').enforced }}
        {{ take_place(made, target) }}
    {%- endcall %}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [target]}) }}
{% endmaterialization %}

{# Where a relation is made. #}
{% macro beside(target) -%}
    {{ return(target.incorporate(path={'identifier': target.identifier ~ '__made'})) }}
{%- endmacro %}

{#
  SQL that stops with an error unless the query gives just the columns of the model's contract, in their types. PostgreSQL
  says what a prepared statement would return; nothing is run.
#}
{% macro assert_contract(made, sql) -%}
    {%- set columns = model.columns.values() -%}
    {%- set given, named = '"given ' ~ model.name ~ '"', '"named ' ~ model.name ~ '"' -%}
    deallocate all;
    prepare {{ given }} as ({{ sql }});
    prepare {{ named }} as select {{ columns | map(attribute='name') | join(', ') }} from ({{ sql }}) as made;
    do $contract$
    declare
        given regtype[] = (select result_types from pg_prepared_statements where name = '{{ given[1:-1] }}');
        named regtype[] = (select result_types from pg_prepared_statements where name = '{{ named[1:-1] }}');
        agreed regtype[] = array[{% for column in columns %}'{{ column.data_type }}'::regtype{{ ', ' if not loop.last }}{% endfor %}];
    begin
        if cardinality(given) <> cardinality(agreed) or named <> agreed then
            raise exception 'This model has an enforced contract that failed: {{ model.name }} gives % columns, its contract has %. Columns that differ: %. '
                'Correct the SQL or the data_type in the YAML.',
                cardinality(given), cardinality(agreed), (
                    select coalesce(string_agg(format('%s is %s, contract %s', c.name, named[c.n], agreed[c.n]), '; '), 'none of those named')
                    from unnest(array[{% for column in columns %}'{{ column.name }}'{{ ', ' if not loop.last }}{% endfor %}]) with ordinality as c (name, n)
                    where named[c.n] <> agreed[c.n]
                );
        end if;
    end $contract$;
    deallocate all;
{%- endmacro %}

{# SQL that puts what was made into its place, with its comments. #}
{% macro take_place(made, target) -%}
    {%- set existing = load_cached_relation(target) -%}
    {%- if existing is not none %}
    drop {{ existing.type }} if exists {{ target }} cascade;
    {%- do adapter.cache_dropped(existing) -%}
    {%- endif %}
    alter {{ target.type }} {{ made }} rename to {{ target.identifier }};
    {{ postgres__alter_relation_comment(target, model.description) }}
    {%- for column in model.columns.values() %}
    comment on column {{ target }}.{{ column.name }} is $${{ column.description }}$$;
    {%- endfor %}
{%- endmacro %}
