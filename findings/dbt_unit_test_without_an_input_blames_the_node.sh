#!/usr/bin/env bash
# dbt-core 1.11.16 with dbt-duckdb 1.10.1: a unit test that leaves one of its model's inputs out of `given` fails with "depends on a node
# named 'rates' which was not found", although the node is there and built: dbt looks for it among the inputs of the test only. The way
# out is another `- input:` (with no rows), not a search for the model.
# Seen: the message above, right after both models were built. Fails when the message names the missing input.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check dbt-core==1.11.16 dbt-duckdb==1.10.1 duckdb==2.0.1
export DBT_SEND_ANONYMOUS_USAGE_STATS=false DO_NOT_TRACK=1
mkdir models
printf 'name: seen\nversion: "1.0"\nprofile: seen\n' > dbt_project.yml
printf 'seen: {target: t, outputs: {t: {type: duckdb, path: seen.duckdb}}}\n' > profiles.yml
echo "select 1 as id, 2 as amount" > models/sums.sql
echo "select 1 as id, 3 as rate" > models/rates.sql
echo "select s.id, s.amount * r.rate as paid from {{ ref('sums') }} s join {{ ref('rates') }} r on r.id = s.id" > models/paid.sql
venv/bin/dbt --quiet run --profiles-dir .
cat > models/tests.yml <<'Y'
unit_tests:
  - name: pays
    model: paid
    given: [{input: ref('sums'), rows: [{id: 1, amount: 2}]}]
    expect: {rows: [{id: 1, paid: 6}]}
Y
venv/bin/dbt --no-use-colors test --profiles-dir . > out.txt 2>&1 && exit 1
grep -m1 "not found" out.txt
grep -q "depends on a node named 'rates'" out.txt
