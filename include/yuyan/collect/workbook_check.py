"""What a workbook claims, found out by streaming it before a reader makes a table of it.

A reader of workbooks makes room for every cell between the first and the last that holds something, so that one stray cell
far away costs gigabytes, and a small archive may hold a large text. It also gives nothing for a formula error and for the
cells that a merged one covers. (Office Open XML, ECMA-376 part 1: §18.3.1 worksheets, §18.4 shared strings; .ZIP
Application Note for the archive.)
"""

import posixpath
import re
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol
from xml.parsers import expat

from yuyan.collect.file_faults import Said, said

CHUNK = 1 << 18
LARGEST_ROW, LARGEST_COLUMN = 1 << 20, 1 << 14
MOST_NOTED = 1_000
"""Ranges of columns in which a sheet may have merged areas."""
KEPT = 40
"""Characters of a cell that are kept: enough for the number of a shared string, and to quote a formula error."""
_LOCAL_HEADER = 30
"""Bytes of a local file header before the name, whose length and that of the extra field are its last four bytes."""


class Limits(Protocol):
    """What a workbook may cost (domain.institutions.Limits)."""

    workbook_cells: int
    workbook_mb: int
    workbook_characters: int


class Unusable(Exception):
    """Why a workbook must not be read: in Chinese, in English."""

    def __init__(self, chinese: str, english: str) -> None:
        super().__init__(chinese, english)
        self.said = Said(chinese, english)


@dataclass
class Sheet:
    """The first sheet's cells that hold something: their extent (rows and columns from 1), formula errors, merged areas.

    What is wrong is noted by column, so that however much of it one column has, it hides nothing of another.
    """

    top: int = 0
    left: int = LARGEST_COLUMN + 1
    bottom: int = 0
    right: int = 0
    cells: int = 0
    last: tuple[int, int] = (0, 0)
    """Column and row of the first cell of the lowest row."""
    errors: dict[int, tuple[int, int, str]] = field(default_factory=dict)
    """Column -> its formula errors: how many, row and text of the first."""
    merged: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    """First and last column -> first and last row of the first merged area there that covers a row below the header."""

    @property
    def extent(self) -> int:
        """Cells that a table of this sheet has."""
        return (self.bottom - self.top + 1) * (self.right - self.left + 1) if self.cells else 0

    def fault(self, names: Mapping[int, str]) -> Said | None:
        """What a reader of workbooks makes nothing of, in these columns (number -> name): formula errors, and cells that a
        merged one covers.
        """
        broken = {column: self.errors[column] for column in names if column in self.errors}
        if broken:
            column = min(broken, key=lambda c: broken[c][1])
            (_, row, text), cells = broken[column], sum(count for count, *_ in broken.values())
            return said("formula", row=row, column=names[column], cells=cells, text=text)
        covered = [
            (rows, name)
            for (left, right), rows in self.merged.items()
            for column, name in names.items()
            if left <= column <= right
        ]
        if covered:
            (top, bottom), name = min(covered)
            rows = f"第 {top} 行" if top == bottom else f"第 {top}–{bottom} 行"
            return said("merged", rows=rows, column=name, top=top, bottom=bottom)
        return None


def check(path: Path, limits: Limits) -> Sheet:
    """The first sheet of a workbook, in memory that does not depend on it. Raises Unusable, OSError."""
    try:
        with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
            parts = _Parts(file, archive, limits.workbook_mb << 20)
            return _sheet(parts, limits)
    except (zipfile.BadZipFile, zlib.error, expat.ExpatError, EOFError, ValueError, KeyError) as error:
        raise Unusable(*said("not_workbook", error=type(error).__name__)) from None


def first_sheet(path: Path) -> str:
    """Name of the part of a checked workbook that holds the first sheet."""
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        return _first_sheet(_Parts(file, archive, 1 << 30))


def number(column: str) -> int:
    """Number of a column: 1 of A, 28 of AB."""
    result = 0
    for letter in column:
        result = result * 26 + ord(letter) - 64
    return result


def letters(column: int) -> str:
    """A column's letters: A of 1, AB of 28."""
    text = ""
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text


def _reference(column: int, row: int) -> str:
    return f"{letters(column)}{row}"


class _Parts:
    """The parts of the archive, unpacked piece by piece, all of them together within a number of bytes."""

    def __init__(self, file: BinaryIO, archive: zipfile.ZipFile, budget: int) -> None:
        self._file, self._budget, self._left = file, budget, budget
        self._infos = {info.filename.lower(): info for info in archive.infolist()}

    def __contains__(self, name: str) -> bool:
        return name.lower() in self._infos

    def read(self, name: str) -> Iterator[bytes]:
        """What a part holds, whatever its directory entry says about its size. Raises Unusable, KeyError, zlib.error."""
        info = self._infos[name.lower()]
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
            raise Unusable("工作簿的压缩方式或加密不受支持", "its compression or encryption is not supported")
        self._file.seek(info.header_offset)
        header = self._file.read(_LOCAL_HEADER)
        self._file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), 1)
        stored, left = info.compress_type == zipfile.ZIP_STORED, info.compress_size
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        while left > 0:
            packed = self._file.read(min(CHUNK, left))
            if not packed:
                raise EOFError(name)
            left -= len(packed)
            if stored:
                yield self._counted(packed)
                continue
            while packed and not unpacker.eof:
                yield self._counted(unpacker.decompress(packed, CHUNK))
                packed = unpacker.unconsumed_tail
        if not stored:
            yield self._counted(unpacker.flush())

    def _counted(self, piece: bytes) -> bytes:
        self._left -= len(piece)
        if self._left < 0:
            raise Unusable(
                f"解压后超过 {self._budget >> 20} MB（limits.workbook_mb），请删去多余的内容或改交 CSV",
                f"unpacked it is larger than {self._budget >> 20} MB (limits.workbook_mb); deliver it as CSV",
            )
        return piece

    def parse(
        self,
        name: str,
        start: Callable[[str, dict[str, str]], None],
        text: Callable[[str], None] | None = None,
    ) -> None:
        """Read a part as XML. Raises Unusable, expat.ExpatError."""
        parser = expat.ParserCreate()
        parser.buffer_text = True

        def doctype(*_: Any) -> None:
            raise Unusable("含有文档类型声明，不是办公软件所存的工作簿", "it has a document type declaration")

        parser.StartDoctypeDeclHandler = doctype
        parser.StartElementHandler = start
        if text:
            parser.CharacterDataHandler = text
        for piece in self.read(name):
            parser.Parse(piece, False)
        parser.Parse(b"", True)


def _sheet(parts: _Parts, limits: Limits) -> Sheet:
    for name in parts._infos:  # everything a reader may unpack counts, such as styles
        if name.endswith((".xml", ".rels")) and not name.startswith("xl/worksheets/"):
            for _ in parts.read(name):
                pass
    lengths = _shared_lengths(parts, limits)
    return _Reader(lengths, limits).read(parts, _first_sheet(parts))


def _first_sheet(parts: _Parts) -> str:
    """Name of the part that holds the first sheet."""
    ids: list[str] = []
    targets: dict[str, str] = {}

    def sheet(tag: str, attributes: dict[str, str]) -> None:
        if _local(tag) == "sheet":
            ids.append(next(v for k, v in attributes.items() if ":" in k and _local(k) == "id"))

    def relationship(tag: str, attributes: dict[str, str]) -> None:
        if _local(tag) == "Relationship":
            targets[attributes["Id"]] = attributes["Target"]

    parts.parse("xl/workbook.xml", sheet)
    parts.parse("xl/_rels/workbook.xml.rels", relationship)
    if not ids:
        raise Unusable("工作簿没有工作表", "the workbook has no sheet")
    return posixpath.normpath(posixpath.join("/xl", targets[ids[0]])).lstrip("/")


def _shared_lengths(parts: _Parts, limits: Limits) -> array:
    """Characters of every shared string, whether a cell of the first sheet has it or not: a reader keeps them all."""
    lengths, whole = array("I"), 0

    def start(tag: str, _: dict[str, str]) -> None:
        if _local(tag) == "si":
            lengths.append(0)
            if len(lengths) > limits.workbook_cells:
                raise Unusable(
                    f"工作簿的文字超过 {limits.workbook_cells:,} 条（limits.workbook_cells）",
                    f"the workbook has more than {limits.workbook_cells:,} texts (limits.workbook_cells)",
                )

    def text(piece: str) -> None:
        nonlocal whole
        if lengths:
            lengths[-1] += len(piece)
            whole += len(piece)
            if whole > limits.workbook_characters:
                raise _too_long(limits)

    if "xl/sharedstrings.xml" in parts:
        parts.parse("xl/sharedStrings.xml", start, text)
    return lengths


def _too_long(limits: Limits) -> Unusable:
    most = f"{limits.workbook_characters:,}"
    return Unusable(
        f"单元格文字合计超过 {most} 字（limits.workbook_characters）",
        f"its cells have more than {most} characters (limits.workbook_characters)",
    )


def _local(name: str) -> str:
    return name.rpartition(":")[2]


class _Reader:
    """Reads a sheet's cells one by one and keeps only what Sheet says."""

    def __init__(self, lengths: array, limits: Limits) -> None:
        self._lengths, self._limits = lengths, limits
        self._sheet, self._characters = Sheet(), sum(lengths)
        self._is_used = bytearray(len(lengths))  # a text counts with the list, and again for every other cell
        self._row = self._column = 0
        self._kind: str | None = None
        self._value, self._is_value = "", False
        self._columns: dict[str, int] = {}
        self._is_after_cells = False

    def read(self, parts: _Parts, name: str) -> Sheet:
        parts.parse(name, self._start, self._text)
        self._cell()
        sheet, most = self._sheet, self._limits.workbook_cells
        stray = _reference(*sheet.last)
        if sheet.extent > most:
            raise Unusable(
                f"{sheet.cells} 个单元格有内容，却占到 {letters(sheet.right)} 列第 {sheet.bottom} 行"
                f"（{sheet.extent} 格，上限 {most}，limits.workbook_cells）：远处多有误填的单元格（如 {stray}），"
                "请删去后重新保存",
                f"{sheet.cells} cells hold something, yet they reach to column {letters(sheet.right)}, row "
                f"{sheet.bottom} ({sheet.extent} cells, at most {most}): remove the stray cell (such as {stray})",
            )
        return sheet

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag if ":" not in tag else _local(tag)
        if tag == "v" or tag == "t":
            self._is_value = True
            return
        self._is_value = False
        if tag == "c":
            self._cell()
            if self._is_after_cells:
                raise ValueError("a cell behind merged ones")
            reference = attributes.get("r")
            if reference:
                column = reference.rstrip("0123456789")
                self._row = int(reference[len(column) :])
                self._column = self._columns.get(column) or self._new_column(column)
            else:
                self._column += 1
            self._kind = attributes.get("t")
        elif tag == "row":
            self._cell()
            self._row, self._column = int(attributes.get("r", self._row + 1)), 0
        elif tag == "mergeCell":
            self._merge(attributes["ref"])

    def _new_column(self, column: str) -> int:
        if len(column) > 3:
            raise ValueError("no column")
        return self._columns.setdefault(column, number(column))

    def _text(self, piece: str) -> None:
        if self._is_value:
            if self._kind != "s":  # else it is the number of a text
                self._count(len(piece))
            self._value = (self._value + piece).lstrip()[:KEPT]

    def _share(self, text: int) -> None:
        if not 0 <= text < len(self._lengths):
            return
        if self._is_used[text]:
            self._count(self._lengths[text])
        self._is_used[text] = True

    def _count(self, characters: int) -> None:
        self._characters += characters
        if self._characters > self._limits.workbook_characters:
            raise _too_long(self._limits)

    def _cell(self) -> None:
        """Note the cell that has just been read, if it holds something."""
        value, self._value = self._value.strip(), ""
        if not value:
            return
        sheet, row, column = self._sheet, self._row, self._column
        if not (0 < row <= LARGEST_ROW and 0 < column <= LARGEST_COLUMN):
            raise ValueError("no cell")
        sheet.cells += 1
        if row > sheet.bottom or not sheet.top:
            sheet.bottom, sheet.last = row, (column, row)
            sheet.top = sheet.top or row
        sheet.top = min(sheet.top, row)
        if column > sheet.right:
            sheet.right = column
        if column < sheet.left:
            sheet.left = column
        if self._kind == "s":
            self._share(int(value))
        elif self._kind == "e":
            cells, first, text = sheet.errors.get(column, (0, row, value))
            sheet.errors[column] = cells + 1, first, text

    def _merge(self, reference: str) -> None:
        """Note a merged area. They come after all cells (§18.3.1.99), so that it is known where the table is."""
        self._cell()
        self._is_after_cells = True
        match = re.fullmatch(r"([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})", reference)
        if not match:
            return
        sheet, (first, top, last, bottom) = self._sheet, match.groups()
        if not (sheet.top < int(bottom) and int(top) <= sheet.bottom):
            return
        sheet.merged.setdefault((number(first), number(last)), (int(top), int(bottom)))
        if len(sheet.merged) > MOST_NOTED:
            raise Unusable(
                f"合并单元格的列范围超过 {MOST_NOTED:,} 种，请取消合并并逐行填写",
                f"it has merged cells in more than {MOST_NOTED:,} ranges of columns; unmerge and fill them in",
            )
