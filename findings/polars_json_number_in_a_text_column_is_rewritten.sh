#!/usr/bin/env bash
# polars 2.1.0: read_ndjson and read_json with a schema of pl.String do not keep a JSON number as it was sent. One with a fraction
# goes through a double and is printed anew: 12345678901234567.25 becomes 12345678901234568, 1.10 becomes 1.1 and 3.00 becomes 3,
# while a whole number of 30 digits comes through untouched. Reading "everything as text" is no way to keep what a source sent.
# Seen: the five values below. Fails when the text is that of the source.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check polars==2.1.0
venv/bin/python - <<'P'
import io

import polars as pl

becomes = {
    "12345678901234567.25": "12345678901234568",
    "1.10": "1.1",
    "3.00": "3",
    "1e2": "100",
    "123456789012345678901234567890": "123456789012345678901234567890",
}
for sent, expected in becomes.items():
    lines = pl.read_ndjson(io.BytesIO(f'{{"a": {sent}}}\n'.encode()), schema={"a": pl.String})["a"][0]
    document = pl.read_json(io.BytesIO(f'[{{"a": {sent}}}]'.encode()), schema={"a": pl.String})["a"][0]
    print(f"sent {sent}, read {lines}")
    assert lines == document == expected, (sent, lines, document)
P
