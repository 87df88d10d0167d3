"""Deliveries of a file platform: the manifest of each, the files it lists, and the cursor that says which were loaded.

The cursor of an entity is JSON: {period: [sequence, sha256, delivery]} of the file last loaded for each period, and under ""
the marks of all files in the folder that have been dealt with, so that one that arrives late is noticed.
"""

import fnmatch
import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from yuyan.collect import file_faults
from yuyan.collect.file_faults import Said, bad_manifest, said
from yuyan.collect.source import SourceError, Window
from yuyan.domain import contracts
from yuyan.domain.institutions import Institution, owned

MARKED = {".csv": "csv", ".txt": "csv", ".tsv": "csv", ".xlsx": "xlsx"}
"""Ending of a file in a delivery without a manifest -> its format."""
ARRIVING = (".part", ".filepart", ".tmp", ".uploading")
"""Ends of a folder's name while it is being uploaded."""


class Entry(BaseModel):
    """One file as the manifest lists it, or as the folder has it (`rows` and `encoding` are unknown then)."""

    entity: str
    ref_period: str
    file: str = Field(pattern=r"^[^/\\]+$")
    format: str = Field(pattern="^(csv|xlsx)$")
    encoding: str | None = None
    rows: int | None = Field(ge=0)
    sha256: Annotated[
        str, StringConstraints(to_lower=True, strip_whitespace=True, pattern="^[0-9a-fA-F]{64}$")
    ]

    def is_of(self, table: str) -> bool:
        """Whether it is this entity's file: listed under what the institution calls it, or named by such a pattern."""
        return self.entity == table or fnmatch.fnmatchcase(self.file, table)


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
    def file_name(self) -> str:
        """`2026-10-15/student.xlsx`."""
        return f"{self.delivery}/{self.path.name}"

    @property
    def mark(self) -> str:
        """Short digest of what identifies the file."""
        return hashlib.sha256(f"{self.delivery}/{self.version}/{self.until}".encode()).hexdigest()[:12]


def read_manifest(path: Path, institution: Institution) -> tuple[Manifest | None, list[str]]:
    """The manifest of a delivery, or None, and complaints; entries that cannot be used are left out with one each."""
    complaints: list[str] = []

    def complain(fault: Said) -> None:
        chinese, english = bad_manifest(path.parent.name, fault)
        complaints.append(f"{institution.inst_code} {institution.name}：{chinese}。/ {english}")

    if not is_regular(path):
        complain(said("manifest_link"))
        return None, complaints
    try:
        most = institution.platform.limits.manifest_mb
        if path.stat().st_size > most << 20:
            complain(said("manifest_large", most=most))
            return None, complaints
        read = json.loads(path.read_bytes().decode("utf-8-sig"))
        entries = read.get("files") if isinstance(read, dict) else None
        manifest = Manifest.model_validate({**read, "files": []} if isinstance(entries, list) else read)
    except (OSError, ValueError, RecursionError) as error:
        complain(_manifest_fault(error))
        return None, complaints
    files = []
    for number, entry in enumerate(entries, start=1):
        try:
            files.append(Entry.model_validate(entry))
        except ValidationError as error:
            chinese, english = _manifest_fault(error)
            complain(Said(f"第 {number} 个文件：{chinese}", f"file {number}: {english}"))
            continue
        if files[-1].entity not in owned(institution.inst_code) and not of_entities(files[-1], institution):
            name = files.pop().entity[:40]
            complain(said("manifest_entity", number=number, entity=name))
    return manifest.model_copy(update={"files": files}), complaints


def of_entities(entry: Entry, institution: Institution) -> list[str]:
    """The entities that a file holds: several where one table serves more than one."""
    known = contracts.load()
    return [e for e in institution.entities if entry.is_of(institution.mapping(known[e]).table)]


def marked_delivery(folder: Path, institution: Institution) -> tuple[Manifest | None, list[str]]:
    """What stands for the manifest of a delivery that has none, once it has its product's marker: the files that the
    institution's tables name, each in the place of the file of that name before. Its sequence is the folder's name as a
    number (2026-10-15 is 20261015).

    Nothing says how many rows there should be, nor what the files' digests are: a copy that broke off is not noticed.
    """
    digits = re.sub(r"\D", "", folder.name)
    if not digits or int(digits) >= 2**63:
        return None, [
            f"{institution.inst_code} {institution.name}：交付目录 {folder.name} 的名称不含数字，无法排序，"
            "请改名（例如 2026-10-15）。/ "
            f"the name of delivery {folder.name} has no number to order it by; rename it, as 2026-10-15"
        ]
    entries = [
        Entry(
            entity="",
            ref_period=path.stem,
            file=path.name,
            format=MARKED[path.suffix.lower()],
            rows=None,
            sha256=sha256(path),
        )
        for path in sorted(folder.iterdir())
        if path.suffix.lower() in MARKED and is_regular(path)
    ]
    entries = [entry for entry in entries if of_entities(entry, institution)]
    return Manifest(producer=institution.name, schema_version="", sequence=int(digits), files=entries), []


def sha256(path: Path) -> str:
    """Digest of a file's content, in hexadecimal."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def not_loaded(institution: Institution, window: FileWindow, fault: Said) -> SourceError:
    """Why a file must not be loaded, with the remedy."""
    chinese, english = file_faults.not_loaded(f"{window.path.parent.name}/{window.path.name}", fault)
    return SourceError(f"{institution.inst_code} {institution.name} {window.entity}：{chinese}。/ {english}")


def cursor_state(cursor: str | None) -> tuple[dict[str, tuple[int, str, str]], set[str] | None]:
    """Per period sequence, digest and delivery of the file last loaded; the marks of files dealt with (None: unknown)."""
    entries = json.loads(cursor or "{}")
    marks = entries.pop("", None)
    periods = {period: (*entry, "")[:3] for period, entry in entries.items()}
    return periods, None if marks is None and entries else set(marks or ())


def is_regular(path: Path) -> bool:
    """Whether a file of a delivery is one itself, in the delivery's own folder; true also where there is none at all.

    A link would make a university's file of anything that this machine can read; a pipe would never end.
    """
    try:
        return not path.parent.is_symlink() and stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return True


def is_arriving(delivery: str) -> bool:
    """Whether a folder's name says that it is still uploaded: it begins with a dot or ends as upload programs mark it."""
    return delivery.startswith(".") or delivery.lower().endswith(ARRIVING)


def natural_order(delivery: str) -> list[tuple[int, str]]:
    """What folder names are ordered by: numbers in them by size, so that 2026-9 comes before 2026-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", delivery)]


def _manifest_fault(error: Exception) -> Said:
    """What is wrong with a manifest, without quoting its values."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "files"
        return Said(f"{where}：{first['msg']}", f"{where}: {first['msg']}")
    if isinstance(error, OSError):
        return said("manifest_unreadable", error=type(error).__name__)
    return said("manifest_no_json")
