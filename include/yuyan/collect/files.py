"""File deliveries: a folder per delivery with a manifest, CSV in GB18030 or workbooks; a file replaces its (entity, period).

The cursor of an entity is JSON: {period: [sequence, sha256, delivery]} of the file last loaded for each period, and under ""
the marks of all files in the folder that have been dealt with, so that one that arrives late is noticed.
"""

import codecs
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import fastexcel
import polars as pl
import pyarrow as pa
import pyarrow.csv
from pydantic import BaseModel, Field, StringConstraints, ValidationError

from yuyan.collect import text
from yuyan.collect.source import Meter, Page, PlatformDown, SourceError, Window
from yuyan.domain import contracts
from yuyan.domain.institutions import EntityMap, Institution, owned

BLOCK = 4 << 20
"""Bytes of a CSV file that are decoded at once."""

ENCODINGS = {
    "gb18030": "gb18030 gb180302000 gb180302005 gb180302022 gbk gb2312 gb23121980 cp936 ms936 windows936 936 ansi",
    "utf-8": "utf8 utf8bom utf8withbom utf8sig 65001",
    "utf-16": "utf16 unicode ucs2",
}
"""Encoding -> the names by which manifests call it, without regard to case and punctuation. GB18030 reads all of GBK."""
_ENCODINGS = {name: encoding for encoding, names in ENCODINGS.items() for name in names.split()}

NO_PATH = "（未填写 path）"
"""Stands for the folder of a connection that names none."""

EXACT = 1e15
"""A number cell of a workbook keeps fifteen digits: a longer identifier in one is not the sender's any more."""


class Entry(BaseModel):
    """One file as the manifest lists it."""

    entity: str
    ref_period: str
    file: str = Field(pattern=r"^[^/\\]+$")
    format: str = Field(pattern="^(csv|xlsx)$")
    encoding: str | None = None
    rows: int = Field(ge=0)
    sha256: Annotated[
        str, StringConstraints(to_lower=True, strip_whitespace=True, pattern="^[0-9a-fA-F]{64}$")
    ]


class Manifest(BaseModel):
    """manifest.json of a delivery."""

    producer: str
    schema_version: str
    sequence: int = Field(ge=0, le=2**63 - 1)
    files: list[Entry]


@dataclass(frozen=True)
class FileWindow(Window):
    """One file of a delivery; `refusal` says why it must not even be read."""

    path: Path = Path()
    entry: Entry | None = None
    refusal: str = ""

    @property
    def delivery(self) -> str:
        return self.path.parent.name

    @property
    def mark(self) -> str:
        """Short digest of what identifies the file."""
        return hashlib.sha256(f"{self.delivery}/{self.version}/{self.until}".encode()).hexdigest()[:12]


class Files:
    """file-drop: deliveries in the order of their sequence, files already loaded are skipped.

    Folder names and sequences must rise together. A delivery whose number does not, one that was changed after it had been
    loaded and one that lists a period twice are refused by name; a manifest that cannot be read stops no other delivery.
    """

    proves_at_end = True

    def __init__(self, institution: Institution, connection: Any, as_of: date) -> None:
        self.institution = institution
        self.complaints: list[str] = []
        self._who = f"{institution.inst_code} {institution.name}"
        self._folder = Path(str(connection.extra_dejson.get("path") or NO_PATH))
        self._deliveries: list[tuple[Path, Manifest]] = []
        self._good: set[Path] = set()

    def open(self) -> None:
        try:
            is_folder = self._folder.is_dir()
        except (OSError, ValueError):
            is_folder = False
        if not is_folder:
            raise PlatformDown(
                f"{self._who}：交付目录 {self._folder} 不存在，请检查共享目录"
                f"和 Airflow 连接 {self.institution.connection} 的 path。/ the delivery folder does not exist; "
                f"check the share and the path of connection {self.institution.connection}"
            )
        try:
            complete = sorted(self._folder.glob("*/manifest.json"))
        except OSError as error:
            raise PlatformDown(
                f"{self._who}：交付目录 {self._folder} 无法读取（{type(error).__name__}），请检查共享目录的权限。/ "
                "the delivery folder cannot be read; check the rights on the share"
            ) from None
        read = ((path.parent, self._manifest(path)) for path in complete)
        self._deliveries = sorted(
            ((folder, manifest) for folder, manifest in read if manifest),
            key=lambda d: (d[1].sequence, _named(d[0].name)),
        )

    def close(self) -> None:
        self._deliveries = []

    def windows(self, entity: str, cursor: str | None, full: bool) -> Iterator[Window]:
        """Every file newer than the one loaded for its period; `full` reads the newest file of each period again.

        Within a delivery files with rows come first, so that a record that moves to another period is never missing.
        A window is asked for once the one before has been read: a file that proved bad does not make the next one a repeat.
        """
        periods, seen = _state(cursor)
        files = self._files(entity)
        refused = [f for f in (self._refused(f, files, periods, seen) for f in files) if f.refusal]
        marks = {f.mark for f in refused}
        files = [f for f in files if f.mark not in marks]
        if full:
            yield from {f.ref_period: f for f in files}.values()
        else:
            for f in files:
                sequence, sha256, delivery = periods.get(f.ref_period, (-1, "", ""))
                if f.version > sequence:
                    known = f.until == sha256
                    yield replace(f, already_loaded=known)
                    if known or f.path in self._good:
                        periods[f.ref_period] = (f.version, f.until, f.delivery)
                elif seen is not None and f.mark not in seen and _named(f.delivery) < _named(delivery):
                    note = (
                        f"交付 {f.delivery} 的文件 {f.path.name} 晚到，其后的交付 {delivery} 已替换该期间，未装载。/ "
                        f"file {f.path.name} of delivery {f.delivery} came late, delivery {delivery} has replaced its period"
                    )
                    yield replace(f, already_loaded=True, note=note)
        yield from refused

    def advance(self, cursor: str | None, window: FileWindow, greatest: str | None) -> str:
        periods, seen = _state(cursor)
        files = [f for f in self._files(window.entity) if f.ref_period == window.ref_period]
        sequence, _, _ = periods.get(window.ref_period, (-1, "", ""))
        if window.version >= sequence:
            periods[window.ref_period] = (window.version, window.until, window.delivery)
        upto = window.version, _named(window.delivery)
        dealt = {f.mark for f in files if (f.version, _named(f.delivery)) <= upto}
        present = {f.mark for f in self._files(window.entity)}
        return json.dumps(periods | {"": sorted(((seen or set()) | dealt) & present)}, sort_keys=True)

    def _files(self, entity: str) -> list[FileWindow]:
        """The files of an entity, in the order in which they take effect."""
        return [
            FileWindow(
                entity,
                "replace",
                str(m.sequence),
                e.sha256,
                e.ref_period,
                m.sequence,
                path=folder / e.file,
                entry=e,
            )
            for folder, m in self._deliveries
            for e in sorted(m.files, key=lambda e: e.rows == 0)
            if e.entity == entity
        ]

    def _refused(
        self,
        f: FileWindow,
        files: list[FileWindow],
        periods: dict[str, tuple[int, str, str]],
        seen: set[str] | None,
    ) -> FileWindow:
        """The file, with the reason why it must not be read if there is one."""
        sequence, sha256, delivery = periods.get(f.ref_period, (-1, "", ""))
        if delivery and f.delivery == delivery and f.version == sequence and f.until != sha256:
            return self._refuse(
                f, "交付在装载后被改动，请另建交付并使用新的序号", "it was changed after it had been loaded"
            )
        of_period = [g for g in files if g.ref_period == f.ref_period]
        if sum(g.delivery == f.delivery for g in of_period) > 1:
            return self._refuse(
                f, f"清单把期间 {f.ref_period} 列了两次", "the manifest lists its period twice"
            )
        name = _named(f.delivery)
        earlier = [(g.delivery, g.version) for g in of_period if _named(g.delivery) < name]
        if delivery and _named(delivery) < name and f.mark not in (seen or ()):
            earlier.append((delivery, sequence))
        for other, number in earlier:
            if number >= f.version:
                return self._refuse(
                    f,
                    f"交付序号 {f.version} 不大于先前的交付 {other} 的序号 {number}，请按序号只增不减的约定重新编号",
                    f"its sequence {f.version} is not above {number} of the earlier delivery {other}; number it anew",
                )
        return f

    def _refuse(self, f: FileWindow, chinese: str, english: str) -> FileWindow:
        return replace(f, refusal=str(self._disagrees(f, chinese, english)))

    def count(self, entity: str, meter: Meter) -> None:
        """Files cannot say what they will hold; the manifest's row counts are checked while reading."""

    def pages(self, window: FileWindow, meter: Meter) -> Iterator[Page]:
        entry, path = window.entry, window.path
        if window.refusal:
            raise SourceError(window.refusal)
        meter.count()
        mapping = self.institution.mapping(contracts.load()[window.entity])
        self._check_digest(window)
        rows = 0
        for page in self._csv(window, mapping) if entry.format == "csv" else self._workbook(window, mapping):
            rows += page.frame.height
            yield page
        self._check_digest(window)  # nobody has written to it meanwhile
        if rows != entry.rows:
            raise self._disagrees(
                window,
                f"清单为 {entry.rows} 行，文件为 {rows} 行",
                f"manifest {entry.rows} rows, file {rows} rows",
            )
        self._good.add(path)

    def _check_digest(self, window: FileWindow) -> None:
        try:
            found = _sha256(window.path)
        except FileNotFoundError:
            raise self._disagrees(
                window, "清单列出的文件不存在", "the file is in the manifest but not in the folder"
            ) from None
        except OSError as error:
            raise self._disagrees(
                window, f"文件无法读取（{type(error).__name__}）", "the file cannot be read"
            ) from None
        if found != window.entry.sha256:
            raise self._disagrees(
                window,
                f"清单 sha256 为 {window.entry.sha256[:12]}…，文件为 {found[:12]}…",
                "the digest differs from the manifest's",
            )

    def _encoding(self, window: FileWindow) -> str:
        """The encoding that the manifest names. Raises SourceError for one that is none, or that the file does not have."""
        told = window.entry.encoding or "gb18030"
        name = re.sub(r"[^0-9a-z]", "", told.lower())
        encoding = _ENCODINGS.get(name)
        if encoding is None:
            try:
                info = codecs.lookup(told)
            except (LookupError, ValueError):
                info = None
            if info is None or not getattr(info, "_is_text_encoding", True):
                raise self._disagrees(
                    window,
                    f"清单的编码名 {told[:40]!r} 不认识，请写 gb18030 或 utf-8",
                    f"the encoding {told[:40]!r} is unknown; write gb18030 or utf-8",
                )
            encoding = info.name
        if encoding == "gb18030" and _is_utf8(window.path):
            raise self._disagrees(
                window, f"清单的编码为 {told}，文件实为 UTF-8", f"the manifest says {told}, the file is UTF-8"
            )
        return encoding

    def _csv(self, window: FileWindow, mapping: EntityMap) -> Iterator[Page]:
        bad_row: list[int] = []

        def refuse(row: Any) -> str:
            bad_row.append(row.number or 0)
            return "error"

        encoding = self._encoding(window)
        reading = pa.csv.ReadOptions(block_size=BLOCK, encoding=encoding, use_threads=False)
        parsing = pa.csv.ParseOptions(newlines_in_values=True, invalid_row_handler=refuse)
        try:
            with pa.csv.open_csv(window.path, reading, parsing) as reader:
                header = reader.schema.names
            shape = self._shape(window, header, mapping)
            converting = pa.csv.ConvertOptions(
                column_types=dict.fromkeys(shape.present.values(), pa.string()),
                include_columns=list(shape.present.values()),
                strings_can_be_null=False,
            )
            for batch in pa.csv.open_csv(window.path, reading, parsing, converting):
                yield shape.page(pl.from_arrow(batch))
        except (pa.ArrowException, UnicodeError, OSError, ValueError) as error:
            where = f"，第 {bad_row[0]} 行的列数与表头不符" if bad_row and bad_row[0] else ""
            raise self._disagrees(
                window,
                f"不是约定的 CSV（{type(error).__name__}{where}）",
                f"cannot be read as {encoding} CSV{f' (row {bad_row[0]})' if where else ''}",
            ) from None

    def _workbook(self, window: FileWindow, mapping: EntityMap) -> Iterator[Page]:
        """A workbook holds at most a million rows and is read whole: its format cannot be streamed."""
        try:
            book = fastexcel.read_excel(window.path)
            top = book.load_sheet(0, header_row=None, n_rows=1, dtypes="string").to_polars()
            header = ["" if name is None else name for name in top.row(0)] if top.height else []
            shape = self._shape(window, header, mapping)
            at = {name: header.index(given) for name, given in shape.present.items()}
            columns = sorted(at.values())
            sheet = book.load_sheet(0, use_columns=columns, dtypes="string").to_polars()
            sheet.columns = [header[i] for i in columns]
            id_column = book.load_sheet(0, use_columns=[at[mapping.record_id]]).to_polars().to_series()
        except (fastexcel.FastExcelError, OSError, ValueError) as error:
            raise self._disagrees(
                window, f"不是约定的工作簿（{type(error).__name__}）", "cannot be read as a workbook"
            ) from None
        if id_column.dtype.is_numeric() and (long := (id_column.abs() >= EXACT).arg_true()).len():
            raise self._disagrees(
                window,
                f"{long.len()} 行的“{mapping.record_id}”是数字单元格，超过 15 位的部分已丢失（首行为第 {long[0] + 1} 行），"
                "请改为文本格式",
                f"{long.len()} rows have their record id in a number cell, which keeps 15 digits (the first is row "
                f"{long[0] + 1}); make the column text",
            )
        yield shape.page(sheet)

    def _shape(self, window: FileWindow, header: list[str], mapping: EntityMap) -> "_Shape":
        """Which columns the file has. Raises SourceError for a file whose first line is no header (it may be a person), or
        whose header has an announced name twice.
        """
        given = [
            name or ""
            for name in pl.select(text.trimmed(pl.lit(pl.Series(header, dtype=pl.String)))).to_series()
        ]
        if mapping.record_id not in given:
            raise self._disagrees(
                window, f"首行不是表头（没有“{mapping.record_id}”）", "the first line is not the header"
            )
        announced = list(dict.fromkeys([*mapping.envelope, *mapping.names.values()]))
        twice = [name for name, times in Counter(given).items() if times > 1 and name in announced]
        if twice:
            raise self._disagrees(
                window,
                f"表头中“{'”“'.join(twice)}”出现不止一次，无法确定用哪一列",
                f"the header has {', '.join(twice)} more than once",
            )
        present = {clean: name for clean, name in zip(given, header, strict=True) if clean in announced}
        unannounced = [clean for clean in given if clean and clean not in announced]
        return _Shape(announced, present, unannounced)

    def _manifest(self, path: Path) -> Manifest | None:
        """The manifest, or None and a complaint; entries that cannot be used are left out with a complaint each."""
        try:
            text = path.read_bytes().decode("utf-8-sig")
            read = json.loads(text)
            entries = read.get("files") if isinstance(read, dict) else None
            manifest = Manifest.model_validate({**read, "files": []} if isinstance(entries, list) else read)
        except (OSError, ValueError, RecursionError) as error:
            self._complain(path.parent, *_why(error))
            return None
        files = []
        for number, entry in enumerate(entries, start=1):
            try:
                files.append(Entry.model_validate(entry))
            except ValidationError as error:
                chinese, english = _why(error)
                self._complain(path.parent, f"第 {number} 个文件：{chinese}", f"file {number}: {english}")
                continue
            if files[-1].entity not in owned(self.institution.inst_code):
                name = files.pop().entity[:40]
                self._complain(
                    path.parent,
                    f"第 {number} 个文件的实体 {name!r} 不由该单位报送",
                    f"file {number}: the institution does not supply {name!r}",
                )
        return manifest.model_copy(update={"files": files})

    def _complain(self, folder: Path, chinese: str, english: str) -> None:
        self.complaints.append(
            f"{self._who}：交付 {folder.name} 的清单不符合约定（{chinese}），请报送单位更正清单；其他文件照常装载。/ "
            f"the manifest of delivery {folder.name} is not valid ({english}); ask the institution to correct it"
        )

    def _disagrees(self, window: FileWindow, chinese: str, english: str) -> SourceError:
        where = f"{window.path.parent.name}/{window.path.name}"
        return SourceError(
            f"{self._who} {window.entity}：文件 {where} 未装载：{chinese}。上一次的数据保持不变，"
            "请报送单位核对后重新交付。/ "
            f"not loaded: {english}; the last good data stay, ask the institution to deliver it again"
        )


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


def _state(cursor: str | None) -> tuple[dict[str, tuple[int, str, str]], set[str] | None]:
    """Per period sequence, digest and delivery of the file last loaded; the marks of files dealt with (None: unknown)."""
    held = json.loads(cursor or "{}")
    marks = held.pop("", None)
    periods = {period: (*entry, "")[:3] for period, entry in held.items()}
    return periods, None if marks is None and held else set(marks or ())


def _named(delivery: str) -> list[tuple[int, str]]:
    """What folder names are ordered by: numbers in them by size."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", delivery)]


def _why(error: Exception) -> tuple[str, str]:
    """What is wrong with a manifest, without quoting its values."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "files"
        return f"{where}：{first['msg']}", f"{where}: {first['msg']}"
    if isinstance(error, OSError):
        return f"无法读取，{type(error).__name__}", f"cannot be read, {type(error).__name__}"
    return "不是 UTF-8 的 JSON", "not JSON in UTF-8"


def _is_utf8(path: Path) -> bool:
    """Whether the beginning of a file has characters beyond ASCII and all of them are UTF-8."""
    with open(path, "rb") as f:
        start = f.read(BLOCK)
    try:
        return not codecs.getincrementaldecoder("utf-8")().decode(start).isascii()
    except UnicodeDecodeError:
        return False


def _sha256(path: Path) -> str:
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
