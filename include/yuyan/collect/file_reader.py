"""Read one delivered file: CSV in the encoding that its manifest names, or the first sheet of a workbook."""

import codecs
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastexcel
import polars as pl
import pyarrow as pa
import pyarrow.csv

from yuyan.collect import text, workbook_check
from yuyan.collect.deliveries import FileWindow, is_regular, not_loaded, sha256
from yuyan.collect.source import Page, SourceError
from yuyan.domain import contracts
from yuyan.domain.institutions import Institution

BLOCK = 4 << 20
"""Bytes of a CSV file that are decoded at once."""

ENCODINGS = {
    "gb18030": "gb18030 gb180302000 gb180302005 gb180302022 gbk gb2312 gb23121980 cp936 ms936 windows936 936 ansi",
    "utf-8": "utf8 utf8bom utf8withbom utf8sig 65001",
    "utf-16": "utf16 unicode ucs2",
}
"""Encoding -> the names by which manifests call it, without regard to case and punctuation. GB18030 reads all of GBK."""
_ENCODINGS = {name: encoding for encoding, names in ENCODINGS.items() for name in names.split()}

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
            raise self._not_loaded(
                f"清单为 {entry.rows} 行，文件为 {rows} 行", f"manifest {entry.rows} rows, file {rows} rows"
            )

    def _not_loaded(self, chinese: str, english: str) -> SourceError:
        return not_loaded(self._institution, self._window, chinese, english)

    def _check_digest(self) -> None:
        if not is_regular(self._window.path):
            raise self._not_loaded(
                "是链接或特殊文件，请交付文件本身", "it is a link or a special file; deliver the file itself"
            )
        try:
            found = sha256(self._window.path)
        except FileNotFoundError:
            raise self._not_loaded(
                "清单列出的文件不存在", "the file is in the manifest but not in the folder"
            ) from None
        except OSError as error:
            raise self._not_loaded(
                f"文件无法读取（{type(error).__name__}）", "the file cannot be read"
            ) from None
        if found != self._window.entry.sha256:
            raise self._not_loaded(
                f"清单 sha256 为 {self._window.entry.sha256[:12]}…，文件为 {found[:12]}…",
                "the digest differs from the manifest's",
            )

    def _encoding(self) -> str:
        """The encoding that the manifest names. Raises SourceError for one that is none, or that the file does not have."""
        declared = self._window.entry.encoding or self._institution.platform.formats.encoding or "gb18030"
        name = re.sub(r"[^0-9a-z]", "", declared.lower())
        encoding = _ENCODINGS.get(name)
        if encoding is None:
            try:
                info = codecs.lookup(declared)
            except (LookupError, ValueError):
                info = None
            if info is None or not getattr(info, "_is_text_encoding", True):
                raise self._not_loaded(
                    f"清单的编码名 {declared[:40]!r} 不认识，请写 gb18030 或 utf-8",
                    f"the encoding {declared[:40]!r} is unknown; write gb18030 or utf-8",
                )
            encoding = info.name
        if encoding == "gb18030" and _is_utf8(self._window.path):
            raise self._not_loaded(
                f"清单的编码为 {declared}，文件实为 UTF-8", f"the manifest says {declared}, the file is UTF-8"
            )
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
            with pa.csv.open_csv(self._window.path, reading, parsing) as reader:
                header = reader.schema.names
            shape = self._shape(header)
            converting = pa.csv.ConvertOptions(
                column_types=dict.fromkeys(shape.present.values(), pa.string()),
                include_columns=list(shape.present.values()),
                strings_can_be_null=False,
            )
            for batch in pa.csv.open_csv(self._window.path, reading, parsing, converting):
                yield shape.page(pl.from_arrow(batch))
        except (pa.ArrowException, UnicodeError, OSError, ValueError) as error:
            where = f"，第 {bad_row[0]} 行的列数与表头不符" if bad_row and bad_row[0] else ""
            raise self._not_loaded(
                f"不是约定的 CSV（{type(error).__name__}{where}）",
                f"cannot be read as {encoding} CSV{f' (row {bad_row[0]})' if where else ''}",
            ) from None

    def _workbook(self) -> Iterator[Page]:
        """A workbook holds at most a million rows and is read whole, once it is known what that takes."""
        try:
            sheet_is = workbook_check.check(self._window.path, self._institution.platform.limits)
        except workbook_check.Unusable as error:
            raise self._not_loaded(error.chinese, error.english) from None
        except OSError as error:
            raise self._not_loaded(
                f"文件无法读取（{type(error).__name__}）", "the file cannot be read"
            ) from None
        try:
            workbook = fastexcel.read_excel(self._window.path)
            top = workbook.load_sheet(0, header_row=None, n_rows=1, dtypes="string").to_polars()
            header = ["" if name is None else name for name in top.row(0)] if top.height else []
            shape = self._shape(header)
            at = {name: header.index(given) for name, given in shape.present.items()}
            self._check_cells(sheet_is, at)
            columns = sorted(at.values())
            sheet = workbook.load_sheet(0, use_columns=columns, dtypes="string").to_polars()
            sheet.columns = [header[i] for i in columns]
            ids = {
                name: workbook.load_sheet(0, use_columns=[at[name]]).to_polars().to_series()
                for name in self._mapping.record_id
            }
        except (fastexcel.FastExcelError, OSError, ValueError) as error:
            raise self._not_loaded(
                f"不是约定的工作簿（{type(error).__name__}）", "cannot be read as a workbook"
            ) from None
        for name, cells in ids.items():
            self._check_numbers(name, cells)
        yield shape.page(sheet)

    def _check_numbers(self, name: str, cells: pl.Series) -> None:
        """Refuse ids in number cells that are longer than what such a cell keeps."""
        if cells.dtype.is_numeric() and (long := (cells.abs() >= EXACT).arg_true()).len():
            raise self._not_loaded(
                f"{long.len()} 行的“{name}”是数字单元格，超过 15 位的部分已丢失"
                f"（首行为第 {long[0] + 1} 行），请改为文本格式",
                f"{long.len()} rows have their record id in a number cell, which keeps 15 digits (the first is row "
                f"{long[0] + 1}); make the column text",
            )

    def _check_cells(self, sheet: workbook_check.Sheet, at: dict[str, int]) -> None:
        """Refuse what a reader of workbooks makes nothing of: formula errors, and cells that a merged one covers."""
        names = {sheet.left + i: name for name, i in at.items()}
        broken = [(row, names[column], text) for row, column, text in sheet.errors if column in names]
        if broken:
            row, name, text = broken[0]
            raise self._not_loaded(
                f"第 {row} 行“{name}”等 {len(broken)} 个单元格的公式出错（{text}），请更正后以数值保存",
                f"{len(broken)} cells are formula errors, the first {text} in row {row}; correct them, save values",
            )
        covering = [
            (top, bottom, name)
            for top, left, bottom, right in sheet.merged
            for column, name in names.items()
            if left <= column <= right and sheet.top < bottom and top <= sheet.bottom
        ]
        if covering:
            top, bottom, name = covering[0]
            rows = f"第 {top} 行" if top == bottom else f"第 {top}–{bottom} 行"
            raise self._not_loaded(
                f"{rows}“{name}”在合并单元格内，被合并的单元格没有值，请取消合并并逐行填写",
                f"rows {top} to {bottom} have merged cells, which hide values; unmerge and fill them in",
            )

    def _shape(self, header: list[str]) -> "_Shape":
        """Which columns the file has. Raises SourceError for a file whose first line is no header (it may be a person), or
        whose header has an announced name twice.
        """
        given = [
            name or ""
            for name in pl.select(text.trimmed(pl.lit(pl.Series(header, dtype=pl.String)))).to_series()
        ]
        if lacking := [name for name in self._mapping.record_id if name not in given]:
            raise self._not_loaded(
                f"首行不是表头（没有“{'”“'.join(lacking)}”）", "the first line is not the header"
            )
        announced = list(self._mapping.announced)
        twice = [name for name, times in Counter(given).items() if times > 1 and name in announced]
        if twice:
            raise self._not_loaded(
                f"表头中“{'”“'.join(twice)}”出现不止一次，无法确定用哪一列",
                f"the header has {', '.join(twice)} more than once",
            )
        present = {clean: name for clean, name in zip(given, header, strict=True) if clean in announced}
        unannounced = [clean for clean in given if clean and clean not in announced]
        return _Shape(announced, present, unannounced)


@dataclass(frozen=True)
class _Shape:
    """Announced columns; of those, in the file: name -> the name as the file writes it; columns that nobody announced."""

    announced: list[str]
    present: dict[str, str]
    unannounced: list[str]

    def page(self, frame: pl.DataFrame) -> Page:
        """A page of rows; rows in which every cell is empty (formatted cells, separators) are none."""
        frame = frame.select(pl.col(given).alias(name) for name, given in self.present.items())
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null() | (pl.all() == "")))
        absent = [n for n in self.announced if n not in self.present]
        frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in absent).select(
            self.announced
        )
        unannounced = dict.fromkeys(self.unannounced, frame.height)
        return Page(frame, unannounced=unannounced, absent=tuple(absent))


def _is_utf8(path: Path) -> bool:
    """Whether the beginning of a file has characters beyond ASCII and all of them are UTF-8."""
    with open(path, "rb") as f:
        start = f.read(BLOCK)
    try:
        return not codecs.getincrementaldecoder("utf-8")().decode(start).isascii()
    except UnicodeDecodeError:
        return False
