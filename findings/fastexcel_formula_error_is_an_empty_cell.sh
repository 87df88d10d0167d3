#!/usr/bin/env bash
# fastexcel 0.21.0: a cell whose formula failed (#N/A, #DIV/0!) is read as null, as an empty cell is: with types inferred, with
# dtypes="string", and with dtype_coercion="strict". Nothing is raised and no other reading gives the error: a lookup that found
# nothing looks like a value that nobody filled in. The file says t="e" for such a cell; whoever must tell has to read that.
# Seen: three readings, each {n: None, t: None} in the row with the errors. Fails when a reading gives anything else.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fastexcel==0.21.0 pyarrow==26.0.1 xlsxwriter==3.3.1
venv/bin/python - <<'P'
import fastexcel
import xlsxwriter

with xlsxwriter.Workbook("errors.xlsx") as book:
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, ["id", "n", "t"])
    sheet.write_row(1, 0, ["a", 1, "x"])
    sheet.write(2, 0, "b")
    sheet.write_formula(2, 1, "=NA()", None, "#N/A")
    sheet.write_formula(2, 2, "=1/0", None, "#DIV/0!")
    sheet.write_row(3, 0, ["c", 3, "z"])
book = fastexcel.read_excel("errors.xlsx")
for how in ({}, {"dtypes": "string"}, {"dtype_coercion": "strict"}):
    row = book.load_sheet(0, **how).to_arrow().to_pylist()[1]
    print(how, row)
    assert row == {"id": "b", "n": None, "t": None}
P
