"""The feedback workbook of one institution: every row that the page only counts, in sheets that can be filtered.

All text is written as text: a value that begins with = + - or @ is what the source sent, never a formula.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, time
from itertools import chain, islice
from pathlib import Path
from typing import Any

import xlsxwriter

from yuyan.pages.facts import Facts, Row
from yuyan.pages.sheets import SHEETS, Column

ROWS = 1_000_000
"""Rows of a sheet; a longer table goes on in a next one (a sheet holds 1,048,576)."""

LINE = 17
"""Points of one line."""
LINES = 12
"""Lines that a row is made high enough for."""

FORMATS = {
    "text": {"text_wrap": True, "valign": "top"},
    "int": {"num_format": "#,##0", "valign": "top"},
    "figure": {"num_format": "#,##0", "align": "left"},
    "number": {"num_format": "#,##0.############", "valign": "top"},
    "share": {"num_format": "0.00####%", "valign": "top"},
    "date": {"num_format": "yyyy-mm-dd", "valign": "top", "align": "left"},
    "time": {"num_format": "yyyy-mm-dd hh:mm", "valign": "top", "align": "left"},
    "head": {"bold": True, "bg_color": "#E3E8EE", "border": 1, "text_wrap": True, "valign": "vcenter"},
    "title": {"bold": True, "font_size": 12, "font_color": "#8A0063"},
}

CONTENT = {
    "到数情况": "arrivals",
    "字段不一致": "drifts",
    "未采用": "passed_over",
    "归一化": "normalised",
    "行数比对": "checks",
    "影响其他单位": "others",
    "变化": "changes",
    "了结": "resolutions",
    "问题": "problems",
    "问题经过": "events",
    "豁免": "overrides",
    "暂缓": "holds",
    "评分卡": "scorecard",
    "指标可信等级": "grades",
    "可信度警报": "alarms",
    "规则结果": "results",
}
"""Sheet -> the table of Facts that fills it; causes and rows come beside them."""


def write(
    path: Path, facts: Facts, streams: dict[str, Iterable[Row]], mark: str, cover: list[tuple[str, Any]]
) -> int:
    """Write the workbook; `streams` are the tables that may be longer than memory. Returns the rows of all sheets."""
    with xlsxwriter.Workbook(path, {"constant_memory": True, "default_date_format": "yyyy-mm-dd"}) as book:
        formats = {name: book.add_format(of) for name, of in FORMATS.items()}
        title = f"{facts.name}（{facts.inst_code}）  统计日期 {facts.as_of}  {mark}".rstrip()
        book.set_properties({"title": title, "created": datetime.combine(facts.as_of, time())})
        _cover(book, formats, title, cover)
        content = {table: facts.tables[rows] for table, rows in CONTENT.items()}
        content |= {"根因": facts.groups, **streams}
        return sum(_table(book, formats, title, name, SHEETS[name], content[name]) for name in SHEETS)


def _cover(book: xlsxwriter.Workbook, formats: dict, title: str, lines: list[tuple[str, Any]]) -> None:
    sheet = book.add_worksheet("说明")
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 1, 90)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.write_string(0, 0, f"数据反馈  {title}", formats["title"])
    for i, (name, value) in enumerate(lines, start=2):
        sheet.write_string(i, 0, name, formats["text"])
        _write(sheet, formats, i, 1, "figure" if isinstance(value, int) else "text", value)


def _table(
    book: xlsxwriter.Workbook,
    formats: dict,
    title: str,
    name: str,
    columns: tuple[Column, ...],
    rows: Iterable[Row],
) -> int:
    """One table on as many sheets as it needs, none when it is empty: title with the mark, header, rows; frozen, filtered.

    Returns its rows.
    """
    written = 0
    for part, sheet_rows in enumerate(_parts(rows), start=1):
        sheet = book.add_worksheet(name if part == 1 else f"{name} {part}")
        for i, column in enumerate(columns):
            sheet.set_column(i, i, column.width)
        sheet.write_string(0, 0, f"{name}  {title}", formats["title"])
        for i, column in enumerate(columns):
            sheet.write_string(1, i, column.head, formats["head"])
        last = 1
        for last, row in enumerate(sheet_rows, start=2):
            values = [column.value(row) for column in columns]
            sheet.set_row(last, LINE * max(map(_lines, columns, values)))
            for i, column in enumerate(columns):
                _write(sheet, formats, last, i, column.kind, values[i])
            written += 1
        sheet.freeze_panes(2, 1)
        sheet.autofilter(1, 0, max(last, 2), len(columns) - 1)
        sheet.set_landscape()
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0, 1)
    return written


def _lines(column: Column, value: Any) -> int:
    """Lines that a wrapped text takes in its column: not every program works that out by itself."""
    if column.kind != "text" or value is None:
        return 1
    lines = str(value).splitlines() or [""]
    wide = (len(line) if line.isascii() else sum(2 if ord(c) > 0x2E7F else 1 for c in line) for line in lines)
    return min(sum(max(1, -(-w // (column.width - 1))) for w in wide), LINES)


def _parts(rows: Iterable[Row]) -> Iterator[Iterator[Row]]:
    """The rows in pieces that fit on a sheet; none when there are none."""
    rows = iter(rows)
    for first in rows:
        yield chain([first], islice(rows, ROWS - 1))


def _write(sheet: Any, formats: dict, row: int, column: int, kind: str, value: Any) -> None:
    if value is None:
        sheet.write_blank(row, column, None, formats[kind])
    elif kind == "text":
        sheet.write_string(row, column, str(value), formats[kind])
    elif kind in ("date", "time"):
        sheet.write_datetime(row, column, value, formats[kind])
    else:
        sheet.write_number(row, column, float(value), formats[kind])
