"""File deliveries (product file-drop): a folder per delivery with a manifest; a file replaces its (entity, period)."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from yuyan.collect.deliveries import (
    MARKED,
    FileWindow,
    Manifest,
    cursor_state,
    is_arriving,
    is_regular,
    marked_delivery,
    natural_order,
    not_loaded,
    read_manifest,
)
from yuyan.collect.file_faults import Said, said
from yuyan.collect.file_reader import FileReader
from yuyan.collect.first_rows import first_rows
from yuyan.collect.source import Meter, Page, PlatformDown, Resource, SourceError, Window
from yuyan.domain import contracts
from yuyan.domain.institutions import Institution

NO_PATH = "（未填写 path）"
"""Stands for the folder of a connection that names none."""


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
        self._of: dict[str, list[FileWindow]] = {}

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
            found = sorted(self._folder.glob("*/manifest.json"))
            complete = [path for path in found if not is_arriving(path.parent.name)]
            marker = self.institution.platform.marker
            marked = {path.parent for path in self._folder.glob(f"*/{marker}")} if marker else set()
            bare = sorted(f for f in marked - {p.parent for p in found} if not is_arriving(f.name))
            without = [self._unlisted(folder) for folder in bare]
        except OSError as error:
            raise PlatformDown(
                f"{self._who}：交付目录 {self._folder} 无法读取（{type(error).__name__}），请检查共享目录的权限。/ "
                "the delivery folder cannot be read; check the rights on the share"
            ) from None
        listed = [(path.parent, *read_manifest(path, self.institution)) for path in complete]
        self._deliveries = []
        for folder, manifest, complaints in [*listed, *without]:
            self.complaints += complaints
            if manifest:
                self._deliveries.append((folder, manifest))
        self._deliveries.sort(key=lambda d: (d[1].sequence, natural_order(d[0].name)))
        self._of = {}

    def _unlisted(self, folder: Path) -> tuple[Path, Manifest | None, list[str]]:
        return folder, *marked_delivery(folder, self.institution)

    def close(self) -> None:
        self._deliveries, self._of = [], {}

    def windows(self, entity: str, cursor: str | None, full: bool) -> Iterator[Window]:
        """Every file newer than the one loaded for its period; `full` reads the newest file of each period again.

        Within a delivery files with rows come first, so that a record that moves to another period is never missing.
        A window is asked for once the one before has been read: a file that proved bad does not make the next one a repeat.
        """
        periods, seen = cursor_state(cursor)
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
                elif (
                    seen is not None
                    and f.mark not in seen
                    and natural_order(f.delivery) < natural_order(delivery)
                ):
                    note = (
                        f"交付 {f.delivery} 的文件 {f.path.name} 晚到，其后的交付 {delivery} 已替换该期间，未装载。/ "
                        f"file {f.path.name} of delivery {f.delivery} came late, delivery {delivery} has replaced its period"
                    )
                    yield replace(f, already_loaded=True, note=note)
        yield from refused

    def advance(self, cursor: str | None, window: FileWindow, greatest: str | None) -> str:
        periods, seen = cursor_state(cursor)
        files = [f for f in self._files(window.entity) if f.ref_period == window.ref_period]
        sequence, _, _ = periods.get(window.ref_period, (-1, "", ""))
        if window.version >= sequence:
            periods[window.ref_period] = (window.version, window.until, window.delivery)
        upto = window.version, natural_order(window.delivery)
        dealt = {f.mark for f in files if (f.version, natural_order(f.delivery)) <= upto}
        present = {f.mark for f in self._files(window.entity)}
        return json.dumps(periods | {"": sorted(((seen or set()) | dealt) & present)}, sort_keys=True)

    def _files(self, entity: str) -> list[FileWindow]:
        """The files of an entity, in the order in which they take effect; looked for once, however many there are."""
        if (found := self._of.get(entity)) is not None:
            return found
        table = self.institution.mapping(contracts.load()[entity]).table
        self._of[entity] = [
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
            if e.is_of(table)
        ]
        return self._of[entity]

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
            return self._refuse(f, *said("period_twice", period=f.ref_period))
        name = natural_order(f.delivery)
        earlier = [(g.delivery, g.version) for g in of_period if natural_order(g.delivery) < name]
        if delivery and natural_order(delivery) < name and f.mark not in (seen or ()):
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
        return replace(f, refusal=str(not_loaded(self.institution, f, Said(chinese, english))))

    def resources(self, rows: int) -> Iterator[Resource]:
        """The files of the newest delivery, complete or not; those beside the deliveries where there is none."""
        folders = [folder for folder, _ in self._deliveries] or sorted(
            (path for path in self._folder.iterdir() if path.is_dir()),
            key=lambda path: natural_order(path.name),
        )
        folder = folders[-1] if folders else self._folder
        encodings = {e.file: e.encoding for d, m in self._deliveries if d == folder for e in m.files}
        note = (
            ""
            if self._deliveries
            else f"{folder.name}：没有 manifest.json"
            + (f"，也没有 {marker}" if (marker := self.institution.platform.marker) else "")
            + "，尚不算交付完成"
        )
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in MARKED and is_regular(path):
                formats = self.institution.platform.formats
                yield first_rows(path, encodings.get(path.name) or formats.encoding, rows, note)

    def count(self, entity: str, meter: Meter) -> None:
        """Files cannot say what they will hold; the manifest's row counts are checked while reading."""

    def pages(self, window: FileWindow, meter: Meter) -> Iterator[Page]:
        if window.refusal:
            raise SourceError(window.refusal)
        meter.count()
        yield from FileReader(self.institution, window).pages()
        self._good.add(window.path)
