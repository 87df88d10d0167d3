#!/usr/bin/env bash
# dbt-core 1.11.16 with dbt-postgres 1.10.2: a data test that names a model which is not there is dropped with a warning. `dbt parse`
# and `dbt build` end with status 0, the test is in no run and in no list, and the manifest has it under "disabled". A renamed model
# takes its tests with it, and everything stays green. A model that names a missing one is an error, as one would expect of both.
# Seen: one warning, no test. What helps is `warn_error_options: {error: [NodeNotFoundOrDisabled]}`. Fails when dbt refuses by itself.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check dbt-core==1.11.16 dbt-postgres==1.10.2
mkdir -p project/models project/tests/generic && cd project
cat >dbt_project.yml <<'Y'
{name: shop, version: '1.0', config-version: 2, profile: shop, flags: {send_anonymous_usage_stats: false}}
Y
cat >profiles.yml <<'Y'
{shop: {target: t, outputs: {t: {type: postgres, host: 127.0.0.1, port: 5432, user: u, password: p, dbname: d, schema: s, threads: 1}}}}
Y
echo 'select 1 as id' >models/orders.sql
cat >tests/generic/as_many_as.sql <<'S'
{% test as_many_as(model, other) %} select 1 from {{ model }} having count(*) <> (select count(*) from {{ ref(other) }}) {% endtest %}
S
cat >models/orders.yml <<'Y'
models: [{name: orders, data_tests: [{as_many_as: {arguments: {other: customers}}}]}]
Y
dbt() { ../venv/bin/dbt "$@" --profiles-dir .; }
dbt parse | tee said
grep -q "depends on a node named 'customers'" said
echo "tests in the list: $(dbt --quiet ls --resource-type test | grep -c as_many_as || true)"
! dbt --quiet ls --resource-type test | grep -q as_many_as
! dbt --warn-error-options '{"error": ["NodeNotFoundOrDisabled"]}' parse >/dev/null
echo 'the test is dropped, and parsing ends with status 0'
