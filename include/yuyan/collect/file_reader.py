"""Read one delivered file: CSV in the encoding that its manifest names, or the first sheet of a workbook."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import fastexcel
import polars as pl
import pyarrow as pa
import pyarrow.csv

from yuyan.collect import text, workbook_check
from yuyan.collect.deliveries import FileWindow, is_regular, not_loaded, sha256
from yuyan.collect.file_faults import encoding_of, is_utf8, said
from yuyan.collect.source import Page, SourceError
from yuyan.domain import contracts
from yuyan.domain.institutions import Institution

BLOCK = 4 << 20
"""Bytes of a CSV file that are decoded at once."""

LONGEST_HEADER = 1 << 20
"""Characters of a CSV file among which the header ends."""

PART = 5_000
"""Rows of a workbook that go on together."""

EXACT = 1e15
"""A number cell of a workbook keeps fifteen digits: a longer identifier in one is not the sender's any more."""


class FileReader:
    """Reads one file of an institution in pages, and proves it against its manifest before and after."""

    def __init__(self, institution: Institution, window: FileWindow) -> None:
        self._institution, self._window = institution, window
        self._mapping = institution.mapping(contracts.load()[window.entity])

    def pages(self) -> Iterator[Page]:
        """The rows of the file. Raises SourceError: at the end, too, when the file is not what the manifest says."""
        entry = self._window.entry
        self._check_digest()
        rows = 0
        for page in self._csv() if entry.format == "csv" else self._workbook():
            rows += page.frame.height
            yield page
        self._check_digest()  # nobody has written to it meanwhile
        if entry.rows is not None and rows != entry.rows:
            raise self._not_loaded("rows", manifest=entry.rows, found=rows)

    def _not_loaded(self, fault: str, **values: object) -> SourceError:
        return not_loaded(self._institution, self._window, said(fault, **values))

    def _check_digest(self) -> None:
        if not is_regular(self._window.path):
            raise self._not_loaded("link")
        try:
            found = sha256(self._window.path)
        except FileNotFoundError:
            raise self._not_loaded("absent") from None
        except OSError as error:
            raise self._not_loaded("unreadable", error=type(error).__name__) from None
        if found != (manifest := self._window.entry.sha256):
            raise self._not_loaded("digest", manifest=manifest[:12], found=found[:12])

    def _encoding(self) -> str:
        """The encoding that the manifest names. Raises SourceError for one that is none, or that the file does not have."""
        declared = self._window.entry.encoding or self._institution.platform.formats.encoding or "gb18030"
        encoding = encoding_of(declared)
        if encoding is None:
            raise self._not_loaded("encoding", name=declared[:40])
        with open(self._window.path, "rb") as file:
            start = file.read(BLOCK) if encoding == "gb18030" else b""
        if is_utf8(start):
            raise self._not_loaded("is_utf8", name=declared)
        return encoding

    def _csv(self) -> Iterator[Page]:
        bad_row: list[int] = []

        def refuse(row: Any) -> str:
            bad_row.append(row.number or 0)
            return "error"

        encoding = self._encoding()
        reading = pa.csv.ReadOptions(block_size=BLOCK, encoding=encoding, use_threads=False)
        parsing = pa.csv.ParseOptions(
            delimiter=self._institution.platform.formats.delimiter,
            newlines_in_values=True,
            invalid_row_handler=refuse,
        )
        try:
            shape = self._shape(self._header(encoding))
            converting = pa.csv.ConvertOptions(
                column_types=dict.fromkeys(shape.present.values(), pa.string()),
                include_columns=list(shape.present.values()),
                strings_can_be_null=False,
            )
            for batch in pa.csv.open_csv(self._window.path, reading, parsing, converting):
                yield shape.page(pl.from_arrow(batch))
        except (pa.ArrowException, UnicodeError, OSError, ValueError) as error:
            at = {"error": type(error).__name__, "encoding": encoding}
            if bad_row and bad_row[0]:
                raise self._not_loaded("columns", row=bad_row[0], **at) from None
            raise self._not_loaded("not_csv", **at) from None

    def _header(self, encoding: str) -> list[str]:
        """The first line of a CSV file, of which no more is read. Raises UnicodeError, OSError, ValueError."""
        with open(self._window.path, encoding=encoding, newline="") as file:
            start = file.read(LONGEST_HEADER)
        lines = io.StringIO(start.removeprefix("\ufeff"), newline="")
        try:
            cells = csv.reader(lines, delimiter=self._institution.platform.formats.delimiter)
            header = next((line for line in cells if line), [])
        except csv.Error as error:
            raise ValueError(error) from None
        if not header:
            raise ValueError("empty")
        self._check_width(header)
        if len(start) == LONGEST_HEADER and not lines.read(1):
            raise ValueError("no end of the header")
        return header

    def _check_width(self, header: list[str]) -> None:
        if len(header) > (most := self._institution.platform.limits.columns):
            raise self._not_loaded("wide", most=most)

    def _workbook(self) -> Iterator[Page]:
        """A workbook holds at most a million rows and is read whole, once it is known what that takes."""
        try:
            sheet_is = workbook_check.check(self._window.path, self._institution.platform.limits)
        except workbook_check.Unusable as error:
            raise not_loaded(self._institution, self._window, error.said) from None
        except OSError as error:
            raise self._not_loaded("unreadable", error=type(error).__name__) from None
        try:
            workbook = fastexcel.read_excel(self._window.path)
            first = workbook.load_sheet(0, header_row=None, n_rows=1, dtypes="string")
            top, left = first.to_polars(), _first_column(first)
            header = ["" if name is None else name for name in top.row(0)] if top.height else []
            self._check_width(header)
            shape = self._shape(header, sheet_is.left)
            at = {name: header.index(given) for name, given in shape.present.items()}
            if fault := sheet_is.fault({sheet_is.left + i: name for name, i in at.items()}):
                raise not_loaded(self._institution, self._window, fault)
            columns = sorted(at.values())
            used = [left + i for i in columns]
            sheet = workbook.load_sheet(0, use_columns=used, dtypes="string").to_polars()
            sheet.columns = [header[i] for i in columns]
            ids = {
                name: workbook.load_sheet(0, use_columns=[left + at[name]]).to_polars().to_series()
                for name in self._mapping.record_id
            }
        except (fastexcel.FastExcelError, OSError, ValueError) as error:
            raise self._not_loaded("not_workbook", error=type(error).__name__) from None
        for name, cells in ids.items():
            if cells.dtype.is_numeric() and (long := (cells.abs() >= EXACT).arg_true()).len():
                raise self._not_loaded("long_number", rows=long.len(), column=name, row=long[0] + 1)
        for start in range(0, max(sheet.height, 1), PART):
            yield shape.page(sheet.slice(start, PART))

    def _shape(self, header: list[str], first: int = 1) -> "_Shape":
        """Which columns the file has; the first of them is number `first`.

        Raises SourceError for a file whose first line is no header (it may be a person), or whose header has an announced
        name twice.
        """
        given = [
            name or ""
            for name in pl.select(text.trimmed(pl.lit(pl.Series(header, dtype=pl.String)))).to_series()
        ]
        if lacking := [name for name in self._mapping.record_id if name not in given]:
            raise self._not_loaded("no_header", column="”“".join(lacking))
        announced = list(self._mapping.announced)
        twice = [name for name, times in Counter(given).items() if times > 1 and name in announced]
        if twice:
            raise self._not_loaded("header_twice", chinese="”“".join(twice), english=", ".join(twice))
        present = {clean: name for clean, name in zip(given, header, strict=True) if clean in announced}
        unannounced = {clean: first + i for i, clean in enumerate(given) if clean and clean not in announced}
        return _Shape(announced, present, unannounced)


@dataclass(frozen=True)
class _Shape:
    """Announced columns; of those, in the file: name -> the name as the file writes it; of all others: name -> number."""

    announced: list[str]
    present: dict[str, str]
    unannounced: dict[str, int]

    def page(self, frame: pl.DataFrame) -> Page:
        """A page of rows; rows in which every cell is empty (formatted cells, separators) are none."""
        frame = frame.select(pl.col(given).alias(name) for name, given in self.present.items())
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null() | (pl.all() == "")))
        absent = [n for n in self.announced if n not in self.present]
        frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in absent).select(
            self.announced
        )
        unannounced = dict.fromkeys(self.unannounced, frame.height)
        return Page(frame, unannounced=unannounced, absent=tuple(absent), places=self.unannounced)


def _first_column(sheet: fastexcel.ExcelSheet) -> int:
    """Columns to the left of the table: what the reader is asked for counts from the sheet's edge."""
    columns = sheet.available_columns()
    return columns[0].absolute_index if columns else 0
