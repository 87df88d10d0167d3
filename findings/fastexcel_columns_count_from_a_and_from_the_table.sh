#!/usr/bin/env bash
# fastexcel 0.21.0: which number names a column depends on where it is said. In a sheet whose table begins in column B,
# available_columns() gives the table's first column index 0 and absolute_index 1; load_sheet(use_columns=[...]) takes the absolute
# number, and refuses the index that the listing gave. A reader that hands the listed index back is right for every table that
# begins in column A and fails for the others.
# Seen: "listed ('code', 0, 1)", "use_columns=[1] reads ['code']", "use_columns=[0] raises". Fails when both count alike.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fastexcel==0.21.0 pyarrow==26.0.1 xlsxwriter==3.3.1
cat > seen.py <<'P'
import fastexcel
import xlsxwriter

with xlsxwriter.Workbook("table.xlsx") as book:
    sheet = book.add_worksheet()
    sheet.write_row("B1", ["code", "name"])
    sheet.write_row("B2", ["1", "a"])
reader = fastexcel.read_excel("table.xlsx")
column = reader.load_sheet(0).available_columns()[0]
print("listed", (column.name, column.index, column.absolute_index))
for number in (column.absolute_index, column.index):
    try:
        names = [c.name for c in reader.load_sheet(0, use_columns=[number]).selected_columns]
        print(f"use_columns=[{number}] reads {names}")
    except fastexcel.FastExcelError as error:
        print(f"use_columns=[{number}] raises {type(error).__name__}")
P
venv/bin/python seen.py | tee out.txt
grep -q "listed ('code', 0, 1)" out.txt
grep -q "use_columns=\[1\] reads \['code'\]" out.txt
grep -q "use_columns=\[0\] raises" out.txt
