"""The first rows of a file of which nothing is known but its ending: encoding and delimiter are found from its beginning."""

import csv
import io
from itertools import islice
from pathlib import Path

import fastexcel
import polars as pl

from yuyan.collect.source import Resource

BEGINNING = 1 << 20
"""Bytes of a CSV file that are looked at."""
DELIMITERS = ",;\t|"


def first_rows(path: Path, encoding: str | None, rows: int, note: str = "") -> Resource:
    """A CSV file or workbook as a resource: its first line as names, then so many rows; `note` of its delivery.

    The note says, too, which encoding and delimiter a CSV file seems to have, where that is not what is expected.
    """
    try:
        if path.suffix.lower() == ".xlsx":
            sheet = fastexcel.read_excel(path).load_sheet(
                0, header_row=None, n_rows=rows + 1, dtypes="string"
            )
            lines = [["" if v is None else v for v in row] for row in sheet.to_polars().rows()]
        else:
            lines, seems = _csv(path, encoding, rows)
            note = "；".join(filter(None, [note, seems]))
    except (fastexcel.FastExcelError, OSError, ValueError, LookupError, csv.Error) as error:
        return Resource(path.name, pl.DataFrame(), problem=f"无法读取（{type(error).__name__}）", note=note)
    header = [name.strip() for name in lines[0]] if lines else []
    at = {name: i for i, name in reversed(list(enumerate(header))) if name}
    body = [line for line in lines[1:] if any(line)]
    columns = {name: [line[i] if i < len(line) else None for line in body] for name, i in at.items()}
    frame = pl.DataFrame(
        {name: columns[name] for name in header if name in columns},
        schema_overrides=dict.fromkeys(columns, pl.String),
    )
    return Resource(path.name, frame, note=note)


def _csv(path: Path, encoding: str | None, rows: int) -> tuple[list[list[str]], str]:
    with open(path, "rb") as f:
        start = f.read(BEGINNING)
    if len(start) == BEGINNING:
        start = start[: start.rfind(b"\n") + 1]
    found = "utf-8-sig" if _is_utf8(start) else "gb18030"
    text = start.decode(found, errors="replace" if found == "gb18030" else "strict")
    first = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=first.count)
    seems = [] if encoding or start.isascii() else [f"编码似为 {found.removesuffix('-sig')}"]
    if delimiter != ",":
        seems.append(f"分隔符似为 {delimiter!r}（formats.delimiter）")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return list(islice(reader, rows + 1)), "，".join(seems)


def _is_utf8(start: bytes) -> bool:
    try:
        start.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
