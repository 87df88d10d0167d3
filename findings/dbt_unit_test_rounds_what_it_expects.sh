#!/usr/bin/env bash
# dbt-core 1.11.16 with dbt-duckdb 1.10.1: the expected cells of a unit test are cast to the column types of the model before they
# are compared. In an integer column 1.4 is accepted for 1, in decimal(10, 2) 1.1049 for 1.10, and any hour for a date: such an
# expectation cannot fail. Only what rounds to another value is refused (1.6, shown in the diff as 2).
# Seen: "PASS m::wrong_but_accepted", "FAIL 1 m::wrong_and_refused". Fails when dbt compares what was written.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check dbt-core==1.11.16 dbt-duckdb==1.10.1 duckdb==2.0.1
export DBT_SEND_ANONYMOUS_USAGE_STATS=false DO_NOT_TRACK=1
mkdir models
printf 'name: seen\nversion: "1.0"\nprofile: seen\n' > dbt_project.yml
printf 'seen: {target: t, outputs: {t: {type: duckdb, path: seen.duckdb}}}\n' > profiles.yml
echo "select 1 as n, 1.1 as share, cast('2026-10-15' as date) as day" > models/src.sql
echo "select cast(n as integer) as n, cast(share as decimal(10, 2)) as share, cast(day as date) as day from {{ ref('src') }}" > models/m.sql
cat > models/tests.yml <<'Y'
unit_tests:
  - name: wrong_but_accepted
    model: m
    given: [{input: ref('src'), rows: [{n: 1, share: 1.10, day: '2026-10-15'}]}]
    expect: {rows: [{n: 1.4, share: 1.1049, day: '2026-10-15 17:30:00'}]}
  - name: wrong_and_refused
    model: m
    given: [{input: ref('src'), rows: [{n: 1, share: 1.10, day: '2026-10-15'}]}]
    expect: {rows: [{n: 1.6, share: 1.10, day: '2026-10-15'}]}
Y
venv/bin/dbt --quiet run --profiles-dir .
venv/bin/dbt --no-use-colors test --profiles-dir . > out.txt 2>&1 || true
grep -E ' (PASS|FAIL 1|ERROR) m::' out.txt | sed 's/^[0-9:]* *//'
grep -q 'PASS m::wrong_but_accepted' out.txt
grep -q 'FAIL 1 m::wrong_and_refused' out.txt
