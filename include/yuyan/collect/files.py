"""File deliveries: a folder per delivery with a manifest, CSV in GB18030 or workbooks; a file replaces its (entity, period).

The cursor of an entity is JSON: {period: [sequence, sha256]} of the file last loaded for each period.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import fastexcel
import polars as pl
import pyarrow as pa
import pyarrow.csv
from pydantic import BaseModel, Field, ValidationError

from yuyan.collect.source import Meter, Page, PlatformDown, SourceError, Window
from yuyan.domain import contracts
from yuyan.domain.institutions import EntityMap, Institution

BLOCK = 4 << 20
"""Bytes of a CSV file that are decoded at once."""


class Entry(BaseModel):
    """One file as the manifest lists it."""

    entity: str
    ref_period: str
    file: str = Field(pattern=r"^[^/\\]+$")
    format: str = Field(pattern="^(csv|xlsx)$")
    encoding: str | None = None
    rows: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class Manifest(BaseModel):
    """manifest.json of a delivery."""

    producer: str
    schema_version: str
    sequence: int
    files: list[Entry]


@dataclass(frozen=True)
class FileWindow(Window):
    """One file of a delivery."""

    path: Path = Path()
    entry: Entry | None = None


class Files:
    """file-drop: deliveries in the order of their sequence, files already loaded are skipped."""

    def __init__(self, institution: Institution, connection: Any, as_of: date) -> None:
        self.institution = institution
        self._who = f"{institution.inst_code} {institution.name}"
        self._folder = Path(connection.extra_dejson.get("path", ""))
        self._deliveries: list[tuple[Path, Manifest]] = []
        self._good: set[Path] = set()

    def open(self) -> None:
        if not self._folder.is_dir():
            raise PlatformDown(
                f"{self._who}：交付目录 {self._folder} 不存在，请检查共享目录"
                f"和 Airflow 连接 {self.institution.connection} 的 path。/ the delivery folder does not exist; "
                f"check the share and the path of connection {self.institution.connection}"
            )
        complete = sorted(self._folder.glob("*/manifest.json"))
        self._deliveries = sorted(
            ((path.parent, self._manifest(path)) for path in complete), key=lambda d: d[1].sequence
        )

    def close(self) -> None:
        self._deliveries = []

    def windows(self, entity: str, cursor: str | None, full: bool) -> Iterator[Window]:
        """Every file newer than the one loaded for its period; `full` reads the newest file of each period again.

        Within a delivery files with rows come first, so that a record that moves to another period is never missing.
        A window is asked for once the one before has been read: a file that proved bad does not make the next one a repeat.
        """
        held = json.loads(cursor or "{}")
        files = [
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
        if full:
            yield from {f.ref_period: f for f in files}.values()
            return
        for f in files:
            sequence, sha256 = held.get(f.ref_period, (0, ""))
            if f.version > sequence:
                known = f.until == sha256
                yield replace(f, already_loaded=known)
                if known or f.path in self._good:
                    held[f.ref_period] = (f.version, f.until)

    def advance(self, cursor: str | None, window: Window, greatest: str | None) -> str:
        periods = json.loads(cursor or "{}")
        periods[window.ref_period] = (window.version, window.until)
        return json.dumps(periods, sort_keys=True)

    def count(self, entity: str, meter: Meter) -> None:
        """Files cannot say what they will hold; the manifest's row counts are checked while reading."""

    def pages(self, window: FileWindow, meter: Meter) -> Iterator[Page]:
        entry, path = window.entry, window.path
        meter.count()
        mapping = self.institution.mapping(contracts.load()[window.entity])
        found = _sha256(path) if path.is_file() else None
        if found is None:
            raise self._disagrees(
                window, "清单列出的文件不存在", "the file is in the manifest but not in the folder"
            )
        if found != entry.sha256:
            raise self._disagrees(
                window,
                f"清单 sha256 为 {entry.sha256[:12]}…，文件为 {found[:12]}…",
                "the digest differs from the manifest's",
            )
        rows = 0
        for page in self._csv(window, mapping) if entry.format == "csv" else self._workbook(window, mapping):
            rows += page.frame.height
            yield page
        if rows != entry.rows:
            raise self._disagrees(
                window,
                f"清单为 {entry.rows} 行，文件为 {rows} 行",
                f"manifest {entry.rows} rows, file {rows} rows",
            )
        self._good.add(path)

    def _csv(self, window: FileWindow, mapping: EntityMap) -> Iterator[Page]:
        try:
            shape = self._shape(window, self._header(window), mapping)
            reader = pa.csv.open_csv(
                window.path,
                pa.csv.ReadOptions(
                    block_size=BLOCK, encoding=window.entry.encoding or "gb18030", use_threads=False
                ),
                pa.csv.ParseOptions(newlines_in_values=True),
                pa.csv.ConvertOptions(
                    column_types=dict.fromkeys(shape[1], pa.string()),
                    include_columns=shape[1],
                    strings_can_be_null=False,
                ),
            )
            for batch in reader:
                yield _page(pl.from_arrow(batch), shape)
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            raise self._disagrees(
                window,
                f"不是约定的 CSV（{type(error).__name__}）",
                f"cannot be read as {window.entry.encoding} CSV",
            ) from None

    def _workbook(self, window: FileWindow, mapping: EntityMap) -> Iterator[Page]:
        """A workbook holds at most a million rows and is read whole: its format cannot be streamed."""
        try:
            book = fastexcel.read_excel(window.path)
            header = [c.name for c in book.load_sheet(0, n_rows=0, dtypes="string").available_columns()]
            shape = self._shape(window, header, mapping)
            sheet = book.load_sheet(0, use_columns=shape[1], dtypes="string")
            yield _page(sheet.to_polars(), shape)
        except fastexcel.FastExcelError as error:
            raise self._disagrees(
                window, f"不是约定的工作簿（{type(error).__name__}）", "cannot be read as a workbook"
            ) from None

    def _shape(
        self, window: FileWindow, header: list[str], mapping: EntityMap
    ) -> tuple[list[str], list[str], list[str]]:
        """Announced columns, those of them in the file, and those in the file that nobody announced.

        Raises SourceError for a file whose first line is no header: it may be a person.
        """
        if mapping.record_id not in header:
            raise self._disagrees(
                window, f"首行不是表头（没有“{mapping.record_id}”）", "the first line is not the header"
            )
        announced = [*mapping.envelope, *mapping.names.values()]
        return announced, [n for n in announced if n in header], [n for n in header if n not in announced]

    def _header(self, window: FileWindow) -> list[str]:
        options = pa.csv.ReadOptions(
            block_size=BLOCK, encoding=window.entry.encoding or "gb18030", use_threads=False
        )
        with pa.csv.open_csv(window.path, options, pa.csv.ParseOptions(newlines_in_values=True)) as reader:
            return reader.schema.names

    def _manifest(self, path: Path) -> Manifest:
        try:
            return Manifest.model_validate_json(path.read_bytes())
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise PlatformDown(
                f"{self._who}：交付清单 {path} 不符合约定（{where}：{first['msg']}），请报送单位更正清单。/ "
                f"the manifest is not valid ({where}); ask the institution to correct it"
            ) from None

    def _disagrees(self, window: FileWindow, chinese: str, english: str) -> SourceError:
        where = f"{window.path.parent.name}/{window.path.name}"
        return SourceError(
            f"{self._who} {window.entity}：文件 {where} 未装载：{chinese}。上一次的数据保持不变，"
            "请报送单位核对后重新交付。/ "
            f"not loaded: {english}; the last good data stay, ask the institution to deliver it again"
        )


def _page(frame: pl.DataFrame, shape: tuple[list[str], list[str], list[str]]) -> Page:
    announced, present, unannounced = shape
    absent = [n for n in announced if n not in present]
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in absent).select(announced)
    return Page(frame, unannounced=dict.fromkeys(unannounced, frame.height), absent=tuple(absent))


def _sha256(path: Path) -> str:
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
