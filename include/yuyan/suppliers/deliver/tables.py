"""A delivered file as rows of text: CSV, or the first sheet of a workbook. What the line would refuse is refused here."""

import csv
import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

from yuyan.collect import workbook_check
from yuyan.collect.file_faults import WHOLE_FILE, Said, encoding_of, is_utf8, said
from yuyan.suppliers.deliver.facts import Facts
from yuyan.suppliers.deliver.values import record, record_id, trimmed

START = 4 << 20
"""Bytes of a CSV file by which its encoding is recognised."""
EXACT = 10**15
"""A number cell keeps fifteen digits."""
_DATES = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
"""Number formats of a workbook that are dates or times (ECMA-376 part 1, §18.8.30, with those of Chinese)."""
_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


class Refused(Exception):
    """The file as a whole would not be loaded."""

    def __init__(self, fault: Said) -> None:
        super().__init__(fault.chinese)
        self.said = fault


class Limits:
    """What a file may cost, as the line has it."""

    workbook_cells, workbook_mb, workbook_characters, columns = 2_000_000, 128, 10_000_000, 16_384


class Row:
    """One record: where it stands (`number` among the records, `line` in the file), its cells and its canonical fields."""

    __slots__ = ("cells", "key", "line", "number", "record_id", "values")

    def __init__(
        self, number: int, line: int, record_id: str, cells: dict, values: dict, key: str | None
    ) -> None:
        self.number, self.line, self.record_id = number, line, record_id
        self.cells, self.values, self.key = cells, values, key


def read(path: Path, kind: str, encoding: str | None, entity: dict, facts: Facts) -> list[Row]:
    """The records of a file. `entity`: its facts. Raises Refused, OSError."""
    formats = facts["formats"]
    encoding = encoding or formats["encoding"] or "gb18030"
    lines = (
        _workbook(path, entity) if kind == "xlsx" else _csv(path.read_bytes(), encoding, formats["delimiter"])
    )
    header = next(lines, None)
    if header is None:
        raise Refused(said("not_csv", error="空文件", encoding=encoding))
    if len(header[1]) > Limits.columns:
        raise Refused(said("wide", most=Limits.columns))
    columns = _columns([trimmed(name) or "" for name in header[1]], entity)
    rows: list[Row] = []
    for line, cells in lines:
        given = {column: cells[at] for column, at in columns.items()}
        if not any(given.values()):
            continue
        values = record(given, entity, formats)
        parts = [values.get(name) for name in entity["key"]]
        key = None if None in parts else "|".join(parts)
        rows.append(Row(len(rows) + 1, line, record_id(given, entity), given, values, key))
    _check_columns(columns, rows, entity)
    check_ids(rows, entity)
    return rows


def encoding_by_content(content: bytes) -> str:
    """The encoding of a file whose sender does not say it: UTF-8 where it can be that, else GB18030."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "gb18030"
    return "utf-8"


def _csv(content: bytes, declared: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """(line in the file, cells) of the header and every row."""
    encoding = encoding_of(declared)
    if encoding is None:
        raise Refused(said("encoding", name=declared[:40]))
    if encoding == "gb18030" and is_utf8(content[:START]):
        raise Refused(said("is_utf8", name=declared))
    try:
        text = content.decode(encoding)
    except UnicodeError as error:
        raise Refused(said("not_csv", error=type(error).__name__, encoding=encoding)) from None
    reader = csv.reader(
        io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True, delimiter=delimiter
    )
    width, before = None, 0
    csv.field_size_limit(1 << 27)
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num
            if not cells:
                continue
            width = width or len(cells)
            if len(cells) != width:
                raise Refused(said("columns", error="列数", row=line, encoding=encoding))
            yield line, cells
    except csv.Error as error:
        raise Refused(said("not_csv", error=type(error).__name__, encoding=encoding)) from None


def _columns(header: list[str], entity: dict) -> dict[str, int]:
    """Column that is read -> position. Raises Refused for what is no header, or has an announced name twice."""
    if lacking := [name for name in entity["record_id"] if name not in header]:
        raise Refused(said("no_header", column="”“".join(lacking)))
    twice = [name for name, times in Counter(header).items() if times > 1 and name in entity["columns"]]
    if twice:
        raise Refused(said("header_twice", chinese="”“".join(twice), english=", ".join(twice)))
    return {name: at for at, name in enumerate(header) if name in entity["columns"]}


def _check_columns(columns: dict[str, int], rows: list[Row], entity: dict) -> None:
    gone = [column for column in entity["needed"] if column not in columns]
    if gone and rows:
        raise Refused(
            said("mandatory_gone", chinese="、".join(gone), english=", ".join(gone), rows=len(rows))
        )


def check_ids(rows: list[Row], entity: dict) -> None:
    """Every row has a record id, and rows that share one say the same. Raises Refused."""
    column = "、".join(entity["record_id"])
    nameless = [row.number for row in rows if not row.record_id]
    if nameless:
        raise Refused(said("nameless", rows=len(nameless), row=nameless[0], column=column, **WHOLE_FILE))
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.record_id, []).append(row)
    unlike = {i: same for i, same in groups.items() if any(row.values != same[0].values for row in same)}
    if unlike:
        first = [str(row.number) for row in unlike[min(unlike, key=lambda i: i.encode())][:5]]
        count = sum(len(same) for same in unlike.values())
        words = {"chinese": "、".join(first), "english": ", ".join(first), "column": column}
        raise Refused(said("colliding", rows=count, **words, **WHOLE_FILE))


def _workbook(path: Path, entity: dict) -> Iterator[tuple[int, list[str]]]:
    """(row of the sheet, cells as text) of the first sheet. Raises Refused."""
    try:
        sheet = workbook_check.check(path, Limits)
        cells = _cells(path)
    except workbook_check.Unusable as error:
        raise Refused(error.said) from None
    except (KeyError, ValueError, IndexError, zipfile.BadZipFile, ElementTree.ParseError) as error:
        raise Refused(said("not_workbook", error=type(error).__name__)) from None
    if not cells:
        return
    width = range(sheet.left, sheet.right + 1)
    header = {column: trimmed(cells.get((sheet.top, column), ("", False))[0]) or "" for column in width}
    names = {column: name for column, name in header.items() if name in entity["columns"]}
    if fault := sheet.fault(names):
        raise Refused(fault)
    for column, name in names.items():
        long = [
            row
            for row in range(sheet.top + 1, sheet.bottom + 1)
            if (cell := cells.get((row, column))) and cell[1] and abs(Decimal(cell[0])) >= EXACT
        ]
        if long and name in entity["record_id"]:
            raise Refused(said("long_number", rows=len(long), column=name, row=long[0] - sheet.top))
    for row in range(sheet.top, sheet.bottom + 1):
        yield row, [cells.get((row, column), ("", False))[0] for column in width]


def _cells(path: Path) -> dict[tuple[int, int], tuple[str, bool]]:
    """(row, column) -> (text, whether it is a number) of the first sheet's cells that hold something."""
    with zipfile.ZipFile(path) as archive:
        names = {name.lower(): name for name in archive.namelist()}

        def tree(part: str) -> ElementTree.Element | None:
            return (
                ElementTree.fromstring(archive.read(names[part.lower()])) if part.lower() in names else None
            )

        shared = tree("xl/sharedStrings.xml")
        strings = [] if shared is None else [_text(item) for item in shared.iter(f"{_MAIN}si")]
        is_date, epoch = _styles(tree("xl/styles.xml")), _epoch(tree("xl/workbook.xml"))
        sheet = ElementTree.fromstring(archive.read(names[workbook_check.first_sheet(path).lower()]))
    found = {}
    row = column = 0
    for element in sheet.iter(f"{_MAIN}row"):
        row, column = int(element.get("r", row + 1)), 0
        for cell in element.iter(f"{_MAIN}c"):
            letters = re.match(r"[A-Z]+", cell.get("r", ""))
            column = workbook_check.number(letters[0]) if letters else column + 1
            value = _value(cell, strings, is_date, epoch)
            if value is not None:
                found[row, column] = value
    return found


def _text(item: ElementTree.Element) -> str:
    """A text without its phonetic guide."""
    parts = item.findall(f"{_MAIN}t") + item.findall(f"{_MAIN}r/{_MAIN}t")
    return "".join(part.text or "" for part in parts)


def _value(
    cell: ElementTree.Element, strings: list[str], is_date: list[bool], epoch: datetime
) -> tuple[str, bool] | None:
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        inline = cell.find(f"{_MAIN}is")
        return None if inline is None else (_text(inline), False)
    text = cell.findtext(f"{_MAIN}v")
    if text is None or kind == "e":
        return None
    if kind == "s":
        return strings[int(text)], False
    if kind == "b":
        return ("true" if text == "1" else "false"), False
    if kind != "n":
        return text, False
    style = int(cell.get("s", 0))
    if style < len(is_date) and is_date[style]:
        return _moment(float(text), epoch), False
    number = format(Decimal(repr(float(text))), "f")
    return (number.rstrip("0").rstrip(".") if "." in number else number), True


def _moment(days: float, epoch: datetime) -> str:
    """A date cell as the line's reader gives it."""
    moment = epoch + timedelta(seconds=round(days * 86400))
    return f"{moment:%Y-%m-%d}" if moment.time() == datetime.min.time() else f"{moment:%Y-%m-%d %H:%M:%S}"


def _styles(tree: ElementTree.Element | None) -> list[bool]:
    """Whether each cell format is one of dates."""
    if tree is None:
        return []
    own = {int(f.get("numFmtId", 0)): f.get("formatCode", "") for f in tree.iter(f"{_MAIN}numFmt")}
    formats = tree.find(f"{_MAIN}cellXfs")
    ids = [] if formats is None else [int(f.get("numFmtId", 0)) for f in formats]
    return [_is_date(own[i]) if i in own else i in _DATES for i in ids]


def _is_date(code: str) -> bool:
    return bool(re.search(r"[ymdhs]", re.sub(r'"[^"]*"|\\.|\[(?!h|m|s)[^\]]*\]', "", code.lower())))


def _epoch(workbook: ElementTree.Element | None) -> datetime:
    """Day 0 of the workbook's calendar."""
    properties = None if workbook is None else workbook.find(f"{_MAIN}workbookPr")
    is_1904 = properties is not None and properties.get("date1904") in ("1", "true")
    return datetime(1904, 1, 1) if is_1904 else datetime(1899, 12, 30)
