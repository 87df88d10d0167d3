{#
  What a table was made of, and what has changed in that since (docs/incremental.md). A model that says what it `follows` is made
  anew only in the rows of the keys that changed:

    config(follows={
        'key': 'student_id',                                  a column of the model: its rows of a key depend on rows of that key
        'rows': {'thesis': 'student_id'},                     … of these tables, by this column of theirs ('ind_*': of all such),
        'looks_up': {'dim_degree_point': 'degree_point_id',   and on what this column refers to in these
                     'dim_enterprise': ['uscc', 'employer_uscc']},   (their column, its own where that has another name);
        'through': {'fct_enrolment_census': ['student_id', 'bridge_student_supervisor', 'student_id', 'supervisor_id']},
                                                              on rows of a table that another one leads to: their column, the
                                                              table between, its column of the same, its column of the key;
        'days': {'dim_student': ['left_on']},                 the run's date matters where one of these dates is passed
    })

  Any other change of what it reads, and any change of its SQL or of a seed, makes all of it anew.
#}

{# A condition that every row fulfils, and in a model that is made in part only rows of the keys that changed. #}
{% macro touched(column) -%}
    {{ made_in_part(is_touched(column)) }}
{%- endmacro %}

{% macro is_touched(column) -%}
    coalesce(cast({{ column }} as text), '') in (select key from touched)
{%- endmacro %}

{# A condition that holds where the model is made in part; without it the whole is made. #}
{% macro made_in_part(condition) -%}
    true /* in part: {{ condition }} */
{%- endmacro %}

{# In a test, with the alias of the tested table: the same condition, where that table follows keys. #}
{% macro touched_rows(alias) -%}
    {%- set follows = graph.nodes[model.attached_node].config.get('follows') if execute -%}
    {{ touched(alias ~ '.' ~ follows.key) if follows else 'true' }}
{%- endmacro %}

{# The SQL of a test that passed, of the rows that may be others now; all of it where those are not known. #}
{% macro of_touched_rows(sql, read, changed) -%}
    {%- set tested = graph.nodes[model.attached_node] if model.attached_node else none -%}
    {%- set follows = tested.config.get('follows') if tested else none -%}
    {%- if not follows or restricted(sql) == sql -%}
        {{ return(sql) }}
    {%- endif -%}
    {%- set rows = {tested.alias: follows.key} -%}
    {%- do rows.update(follows.rows) -%}
    {%- set by = {'key': follows.key, 'rows': rows, 'looks_up': follows.looks_up, 'through': follows.through} -%}
    {%- set target = api.Relation.create(database=tested.database, schema=tested.schema, identifier=tested.alias) -%}
    {%- set keys = keys_touched(target, by, read, changed, none) -%}
    {%- if keys is none or not are_noted(read, changed) -%}
        {{ return(sql) }}
    {%- endif -%}
    {%- set queries = [keys] -%}
    {# a column that names a row of a dimension by what is noted of it, whether or not the model is made of that row #}
    {%- for column, place in (model.test_metadata.kwargs.get('keys') or {}).items() -%}
        {%- for table in changed if table.split('.')[1] == place.split('.')[0] and place.split('.')[1] in read[table][2] -%}
            {%- do queries.append(keys_found(follows.key, target, column,
                "select key from ops.changed_key where relation = '" ~ table ~ "' and version > " ~ read[table][0]
                ~ " and column_name = '" ~ place.split('.')[1] ~ "'")) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- set is_worth_it, has_empty = touched_of(queries | join(' union all '), target, follows.key) -%}
    {%- if not is_worth_it -%}
        {{ return(sql) }}
    {%- endif -%}
    {{ return(restricted(sql) if has_empty else with_bare_keys(restricted(sql))) }}
{%- endmacro %}

{# Whether all notes since these versions are still there: they are kept for models, and a test may have read before all of them. #}
{% macro are_noted(read, changed) -%}
    {%- call statement('noted_since', fetch_result=True) -%}
        select coalesce(bool_and(i.seen >= (
            select min(r.version) from ops.read_version as r where r.relation = i.relation and r.model not like 'test.%'
        )), false)
        from (values {% for table in changed %}('{{ table }}', {{ read[table][0] }}){{ ', ' if not loop.last }}{% endfor %}) as i (relation, seen)
    {%- endcall -%}
    {{ return(load_result('noted_since').data[0][0]) }}
{%- endmacro %}

{# The model's SQL for the keys in the temporary table `touched`. #}
{% macro restricted(sql) -%}
    {{ return(modules.re.sub('true /\\* in part: (.*?) \\*/', '\\1', sql)) }}
{%- endmacro %}

{# The same conditions where no empty key is touched: of a bare column the planner has statistics and indexes. #}
{% macro with_bare_keys(sql) -%}
    {{ return(modules.re.sub("coalesce\\(cast\\((\\S+) as text\\), ''\\) (in \\(select key from (?:touched|moved)\\))", "cast(\\1 as text) \\2", sql)) }}
{%- endmacro %}

{# What a model reads: `tables`, by schema and name, views resolved, whose SQL are `views`; whether a seed; whether what changes unnoticed. #}
{% macro inputs_of(node) -%}
    {%- set tables, views, reads = [], [], namespace(seed=false, unnoticed=false) -%}
    {%- for id in node.depends_on.nodes -%}
        {%- if id.startswith('seed.') -%}
            {%- set reads.seed = true -%}
        {%- elif id.startswith('source.') -%}
            {%- set source = graph.sources[id] -%}
            {%- if source.schema == 'accepted' -%}
                {%- do tables.append('accepted.' ~ source.identifier.removesuffix('_versions')) -%}
            {%- else -%}
                {%- set reads.unnoticed = true -%}
            {%- endif -%}
        {%- elif graph.nodes[id].config.materialized == 'view' -%}
            {%- set behind = inputs_of(graph.nodes[id]) -%}
            {%- do tables.extend(behind.tables) -%}
            {%- do views.extend([graph.nodes[id].raw_code ~ (var('as_of') if 'as_of(' in graph.nodes[id].raw_code)] + behind.views) -%}
            {%- set reads.seed = reads.seed or behind.seed -%}
            {%- set reads.unnoticed = reads.unnoticed or behind.unnoticed -%}
        {%- elif id.startswith('model.') -%}
            {%- do tables.append(graph.nodes[id].schema ~ '.' ~ graph.nodes[id].alias) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return({'tables': tables | unique | list, 'views': views, 'seed': reads.seed, 'unnoticed': reads.unnoticed}) }}
{%- endmacro %}

{# Columns of this model of which changed values are noted: its own key, and those that others ask for. #}
{% macro followed_columns() -%}
    {%- set found = [config.get('follows').key] if config.get('follows') else [] -%}
    {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.config.follows -%}
        {%- set asked = node.config.follows -%}
        {%- for by in (asked.rows, asked.looks_up or {}, asked.through or {}) if entry_of(by, model.name) -%}
            {%- do found.append(their_column(entry_of(by, model.name))) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found | unique | list) }}
{%- endmacro %}

{# What is said of a table: by its name, or by one that ends in '*' and begins like it; none where nothing is. #}
{% macro entry_of(said, table) -%}
    {%- set found = namespace(entry=said.get(table)) -%}
    {%- for name, entry in said.items() if name.endswith('*') and table.startswith(name[:-1]) -%}
        {%- set found.entry = entry -%}
    {%- endfor -%}
    {{ return(found.entry) }}
{%- endmacro %}

{# Of `column`, or of [column of what is read, column of this model, …]: the one, the other. #}
{% macro their_column(by) -%}
    {{ return(by if by is string or by is none else by[0]) }}
{%- endmacro %}

{% macro own_column(by) -%}
    {{ return(by if by is string else by[1]) }}
{%- endmacro %}

{# The table's name in ops.table_version. #}
{% macro noted_name(relation) -%}
    {{ return(relation.schema ~ '.' ~ relation.identifier) }}
{%- endmacro %}

{#
  SQL without the run's date and the names of database and beside: what it was made from is the same on another day. With each year all is made
  anew, since models may ask for the year (this_year).
#}
{% macro without_day(sql) -%}
    {{ return(sql | replace(as_of(), '<as_of>') | replace('"' ~ target.database ~ '".', '') | replace('"beside_', '"')) }}
{%- endmacro %}

{#
  What is known of a table or test since it was last made: `is_same` where its SQL is and it is there, `read`: table it reads ->
  [version read, version now, columns of which keys were noted with every change in between, whether any row may have changed].
#}
{% macro state_of(name, tables, made_from, is_there) -%}
    {%- call statement('state', fetch_result=True) -%}
        select
            own.made_from, own.as_of, own.digest, {{ is_there }},
            cast(coalesce((
                select jsonb_object_agg(i.relation, jsonb_build_array(
                    coalesce(r.version, -1), coalesce(v.version, 0),
                    (select coalesce(jsonb_agg(c.column_name), '[]') from (
                        select k.column_name, count(distinct k.version) as versions, max(count(distinct k.version)) over () as of_all
                        from ops.changed_key as k where k.relation = i.relation and k.version > r.version and k.key is not null
                        group by rollup (k.column_name)
                    ) as c where c.column_name is not null and c.versions = c.of_all),
                    exists (select from ops.changed_key as k where k.relation = i.relation and k.version > r.version and k.key is null)
                ))
                from unnest(array[{% for table in tables %}'{{ table }}'{{ ', ' if not loop.last }}{% endfor %}]::text[]) as i (relation)
                left join ops.table_version as v on v.relation = i.relation
                left join ops.read_version as r on r.model = '{{ name }}' and r.relation = i.relation
            ), '{}') as text) as read
        from (values (1)) as one (row)
        left join ops.table_version as own on own.relation = '{{ name }}'
    {%- endcall -%}
    {%- set row = load_result('state').data[0] -%}
    {{ return({'is_same': row[3] and row[0] == made_from, 'made_from': row[0], 'day': row[1] | string, 'digest': row[2], 'read': fromjson(row[4])}) }}
{%- endmacro %}

{# Tables of a state that have another version than the one that was read. #}
{% macro changed_of(read) -%}
    {%- set changed = [] -%}
    {%- for table, state in read.items() if state[0] != state[1] -%}
        {%- do changed.append(table) -%}
    {%- endfor -%}
    {{ return(changed) }}
{%- endmacro %}

{#
  How a table is to be made: `unchanged`, `in_part` (the temporary table `touched` has the keys) or `whole`; with what has to
  be noted of it afterwards.
#}
{% macro plan_of(target, sql) -%}
    {%- set name, inputs, follows = noted_name(target), inputs_of(model), config.get('follows') -%}
    {%- set made_of = [var('as_of')[:4], without_day(sql), model.columns | string, model.constraints | string, config.get('indexes', []) | string, model.description, config.get('post-hook', []) | string, (follows or {}) | string] + inputs.views -%}
    {%- set plan = namespace(way='whole', name=name, unnoticed=inputs.unnoticed, digest=none,
        made_from=local_md5((made_of + ([var('seeds_digest', '')] if inputs.seed else [])) | join('\n'))) -%}
    {%- set state = state_of(name.removeprefix('beside_'), inputs.tables, plan.made_from, "to_regclass('" ~ name ~ "') is not null") -%}
    {%- if var('beside', false) -%}
        {%- if state.made_from is not none and state.made_from != plan.made_from -%}
            {{ exceptions.raise_compiler_error(model.name ~ ' stands as another release, seed or setting made it: run the DAG `warehouse` first') }}
        {%- endif -%}
        {{ return(plan) }}
    {%- endif -%}
    {%- set plan.read = state.read -%}
    {%- if state.is_same -%}
        {%- set plan.digest = state.digest -%}
        {%- set is_new_day = as_of() in sql and state.day != var('as_of') -%}
        {%- set changed = changed_of(state.read) -%}
        {%- if not inputs.unnoticed and not changed and not is_new_day -%}
            {%- set plan.way = 'unchanged' -%}
        {%- elif follows and not inputs.unnoticed -%}
            {%- set keys = keys_touched(target, follows, state.read, changed, state.day if is_new_day) -%}
            {%- set is_worth_it, has_empty = touched_of(keys, target, follows.key) if keys is not none else (false, false) -%}
            {%- if is_worth_it -%}
                {%- set plan.way = 'in_part' -%}
                {%- set plan.has_empty = has_empty -%}
            {%- endif -%}
        {%- endif -%}
    {%- endif -%}
    {{ return(plan) }}
{%- endmacro %}

{# Fills the temporary table `touched`; whether it has at most two thirds of the keys (as statistics have them, where
  there are any), since the whole costs less than more of them, and whether an empty key is among them. #}
{% macro touched_of(keys, target, key) -%}
    {%- call statement('touched', fetch_result=True) -%}
        {# all joins are planned together: in the order of the SQL, all rows would be joined before the touched are chosen #}
        set local join_collapse_limit = 32;
        set local from_collapse_limit = 32;
        create temp table touched on commit drop as select distinct key from ({{ keys }}) as keys (key) where key is not null;
        analyze touched;
        select 3 * (select count(*) from touched) <= 2 * coalesce(
            (
                select nullif(case when s.n_distinct < 0 then -s.n_distinct * greatest(c.reltuples, 0) else s.n_distinct end, 0)
                from pg_stats as s inner join pg_class as c on c.oid = to_regclass('{{ target }}')
                where s.schemaname = '{{ target.schema }}' and s.tablename = '{{ target.identifier }}' and s.attname = '{{ key }}'
            ),
            (select count(distinct {{ key }}) from {{ target }})
        ),
        exists (select from touched where key = '')
    {%- endcall -%}
    {{ return(load_result('touched').data[0]) }}
{%- endmacro %}

{# A query of the keys whose rows may be others; none where any row may be. #}
{% macro keys_touched(target, follows, read, changed, day_before) -%}
    {%- set queries = [] -%}
    {%- set known = namespace(all=true) -%}
    {%- for table in changed -%}
        {%- set short = table.split('.')[1] -%}
        {%- set seen, _, columns, is_any = read[table] -%}
        {%- set ways = [] -%}
        {%- for how in ('rows', 'through', 'looks_up') if entry_of(follows.get(how) or {}, short) -%}
            {%- set by = entry_of(follows[how], short) -%}
            {%- set column = their_column(by) -%}
            {%- set keys -%}
                select key from ops.changed_key where relation = '{{ table }}' and version > {{ seen }} and column_name = '{{ column }}'
            {%- endset -%}
            {%- do ways.append(column) -%}
            {%- if how == 'rows' -%}
                {%- do queries.append(keys) -%}
            {%- elif how == 'through' -%}
                {%- do queries.append(keys_found(by[3], table.split('.')[0] ~ '.' ~ by[1], by[2], keys)) -%}
            {%- else -%}
                {%- do queries.append(keys_found(follows.key, target, own_column(by), keys)) -%}
            {%- endif -%}
        {%- endfor -%}
        {%- if is_any or not ways or ways | reject('in', columns) | list -%}
            {%- set known.all = false -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if day_before -%}
        {%- if not follows.days -%}
            {%- set known.all = false -%}
        {%- endif -%}
        {%- for table in read if table.split('.')[1] in (follows.days or {}) -%}
            {%- for date in follows.days[table.split('.')[1]] -%}
                {%- do queries.append(
                    "select coalesce(cast(" ~ follows.rows[table.split('.')[1]] ~ " as text), '') from " ~ table ~ " where " ~ date
                    ~ " between least(date '" ~ day_before ~ "', " ~ as_of() ~ ") and greatest(date '" ~ day_before ~ "', " ~ as_of() ~ ")") -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return((queries | join(' union all ') or "select cast(null as text) as key") if known.all else none) }}
{%- endmacro %}

{# A query of the values of a column in the rows that another query's keys lead to. #}
{% macro keys_found(wanted, relation, column, keys) -%}
    select coalesce(cast({{ wanted }} as text), '') from {{ relation }} where coalesce(cast({{ column }} as text), '') in ({{ keys }})
{%- endmacro %}

{# SQL that makes the rows of the touched keys anew, and notes what of them is another; nothing is written where nothing is. #}
{% macro make_in_part(target, sql, plan) -%}
    {%- set columns, key = model.columns.keys() | join(', '), "coalesce(cast(" ~ config.get('follows').key ~ " as text), '')" -%}
    create temp table held on commit drop as select {{ columns }} from {{ target }} where {{ key }} in (select key from touched);
    create temp table made (like {{ target }}) on commit drop;
    insert into made ({{ columns }})
        select {{ columns }} from ({{ restricted(sql) }}) as made where {{ key }} in (select key from touched);
    create temp table differing on commit drop as
        (select cast(-1 as int) as side, * from (select {{ columns }} from held except all select {{ columns }} from made) as gone)
        union all select 1, * from (select {{ columns }} from made except all select {{ columns }} from held) as come;
    create temp table moved on commit drop as select distinct {{ key }} as key from differing;
    analyze moved;
    delete from {{ target }} where {{ key }} in (select key from moved);
    insert into {{ target }} ({{ columns }}) select {{ columns }} from made where {{ key }} in (select key from moved);
    {{ note_differing(plan, 'differing') }}
    update ops.table_version set as_of = {{ as_of() }}, digest = (
        select cast(v.digest as numeric) + coalesce(sum(d.side * cast(d.hash as numeric)), 0)
        from ops.table_version as v
        left join (select side, hash_record_extended(row({{ columns }}), 0) as hash from differing) as d on true
        where v.relation = '{{ plan.name }}' group by v.digest
    ) where relation = '{{ plan.name }}';
    {{ note_read(plan) }}
    drop table held, made, differing, moved, touched;
{%- endmacro %}

{# SQL that gives a table another version where rows of the temporary table differ, and notes their values of the columns that others follow. #}
{% macro note_differing(plan, differing) -%}
    with version as (
        update ops.table_version set version = ops.next_change()
        where relation = '{{ plan.name }}' and exists (select from {{ differing }}) returning version
    )
    insert into ops.changed_key
    select distinct '{{ plan.name }}', v.version, c.column_name, c.key
    from version as v cross join {{ differing }} as d
    cross join lateral (
        values {% for column in followed_columns() %}('{{ column }}', coalesce(cast(d.{{ column }} as text), '')){{ ', ' if not loop.last }}{% else %}('', null){% endfor %}
    ) as c (column_name, key);
{%- endmacro %}

{# SQL that keeps which version of each input a table or test has read. #}
{% macro note_read(plan) -%}
    delete from ops.read_version where model = '{{ plan.name }}';
    insert into ops.read_version (model, relation, version)
    {%- for table, state in plan.read.items() %}
    {{ 'union all' if not loop.first }} select '{{ plan.name }}', '{{ table }}', {{ state[1] }}
    {%- else %} select '', '', 0 where false
    {%- endfor %};
{%- endmacro %}

{#
  SQL that notes a table that was made whole, in `made` beside its place: another version where its content is another than that
  of `held`, which is there in the same shape; where nothing is known of that, any row may have changed. What reads something
  that changes unnoticed is not noted by what it was made from: it is never left as it is.
#}
{% macro note_whole(plan, made, held, digest) -%}
    {%- if plan.digest != digest %}
    {%- if plan.digest is none %}
    insert into ops.table_version as v (relation, version) values ('{{ plan.name }}', ops.next_change())
    on conflict (relation) do update set version = excluded.version;
    insert into ops.changed_key
    select '{{ plan.name }}', v.version, '', null from ops.table_version as v where v.relation = '{{ plan.name }}';
    {%- else %}
    {%- set columns = followed_columns() -%}
    {%- set kept = columns | join(', ') -%}
    create temp table differing on commit drop as
    select {{ kept ~ ', ' if kept }}hash from (
        select {{ kept ~ ', ' if kept }}hash_record_extended(h, 0) as hash, -1 as side from {{ held }} as h
        union all select {{ kept ~ ', ' if kept }}hash_record_extended(m, 0), 1 from {{ made }} as m
    ) as both_sides group by {{ kept ~ ', ' if kept }}hash having sum(side) <> 0;
    {{ note_differing(plan, 'differing') }}
    drop table differing;
    {%- endif %}
    {%- endif %}
    update ops.table_version set as_of = {{ as_of() }}, digest = '{{ digest }}', made_from = {{ 'null' if plan.unnoticed else "'" ~ plan.made_from ~ "'" }}
    where relation = '{{ plan.name }}';
    {{ note_read(plan) }}
{%- endmacro %}
