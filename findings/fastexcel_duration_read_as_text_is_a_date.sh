#!/usr/bin/env bash
# fastexcel 0.21.0 (calamine): a cell of 12 hours in the format [h]:mm is a duration of 12 h when types are inferred, and the text
# "1899-12-31 12:00:00" when the sheet is read as text: the same cell is a length of time in one reading and a moment in another.
# Whoever reads everything as text (to judge it later) cannot tell it from a date of that year.
# Seen: inferred 12:00:00, as text 1899-12-31 12:00:00. Fails when both readings agree.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fastexcel==0.21.0 polars==2.1.0 xlsxwriter==3.3.1
venv/bin/python - <<'P'
import fastexcel
import xlsxwriter

with xlsxwriter.Workbook("hours.xlsx") as book:
    sheet = book.add_worksheet()
    sheet.write(0, 0, "hours")
    sheet.write_number(1, 0, 0.5, book.add_format({"num_format": "[h]:mm"}))
read = lambda dtypes: fastexcel.read_excel("hours.xlsx").load_sheet(0, dtypes=dtypes).to_polars()["hours"][0]
inferred, text = read(None), read("string")
print(f"inferred {inferred}, as text {text}")
assert inferred.total_seconds() == 12 * 3600
assert text == "1899-12-31 12:00:00"
P
