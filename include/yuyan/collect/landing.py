"""The landing area: what a source sent, after privacy, write-once.

`<root>/<inst_code>/<entity>/<batch_id>.parquet` has the source's own field names plus `_feed` (items, deletes, keyChanges);
row numbers follow from the order. `<batch_id>.json` beside it says where the rows come from; it is written last.
"""

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from yuyan import settings
from yuyan.ahead import ahead
from yuyan.collect import privacy
from yuyan.collect.source import ITEMS, Page, SourceError, Window
from yuyan.contracts import Contract
from yuyan.institutions import EntityMap, Institution
from yuyan.warehouse import mapping as mapped

CONNECTOR_VERSION = 1
ROW_GROUP = 25_000
"""Rows that are held before they are written."""


class MandatoryGone(SourceError):
    """A mandatory field is in no row any more. `drift` is what the source's fields looked like."""

    def __init__(self, message: str, drift: dict[str, tuple[str, int]]) -> None:
        super().__init__(message)
        self.drift = drift


@dataclass(frozen=True)
class Landed:
    """A landed batch: its Parquet file and its manifest."""

    uri: str
    manifest: dict[str, Any]

    @property
    def batch_id(self) -> str:
        return self.manifest["batch_id"]

    def open(self) -> BinaryIO:
        """The Parquet file, for reading."""
        return _path(self.uri).open("rb")


def find(uri: str) -> Landed:
    """A batch that was landed earlier. Raises FileNotFoundError."""
    manifest = _path(uri).with_suffix(".json").read_text(encoding="utf-8")
    return Landed(uri, json.loads(manifest))


def land(
    institution: Institution,
    contract: Contract,
    mapping: EntityMap,
    window: Window,
    pages: Iterable[Page],
    run_id: str,
    as_of: date,
) -> Landed | None:
    """Write the pages of a window; nothing is left behind if a page cannot be had. None: an incremental window without rows.

    Raises SourceError from the source, MandatoryGone when a mandatory field has disappeared.
    """
    folder = _path(settings.landing()) / institution.inst_code / contract.entity
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{as_of}.{re.sub(r'[^0-9A-Za-z]+', '-', run_id)}.part"
    _sweep(folder, as_of)
    state = _Tally(contract, mapping, window)
    try:
        digest = _write(part, state.rows(pages))
        state.check(f"{institution.inst_code} {institution.name} {contract.entity}")
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    if window.mode == "incremental" and not state.counts.total():
        part.unlink()
        return None
    # Two full listings of different runs are two statements, even if they say the same.
    run = run_id if window.mode == "full" else ""
    identity = (
        institution.inst_code,
        contract.entity,
        window.mode,
        window.ref_period,
        window.since,
        window.until,
    )
    batch_id = hashlib.sha256(json.dumps([*identity, window.version, run, digest]).encode()).hexdigest()[:20]
    manifest = {
        "batch_id": batch_id,
        "src_inst_code": institution.inst_code,
        "entity": contract.entity,
        "product": institution.product,
        "mode": window.mode,
        "ref_period": window.ref_period,
        "window_from": window.since,
        "window_to": window.until,
        "version": window.version,
        "greatest": state.greatest,
        "rows": dict(state.counts),
        "drift": state.drift(),
        "payload_digest": digest,
        "contract_version": contract.version,
        "connector_version": CONNECTOR_VERSION,
        "mapping_version": mapped.version(mapping),
        "as_of": as_of.isoformat(),
        "run_id": run_id,
    }
    return _publish(folder, part, manifest)


class _Tally:
    """What passes by on its way to disk: rows per feed, drift, the greatest version."""

    def __init__(self, contract: Contract, mapping: EntityMap, window: Window) -> None:
        self._contract, self._mapping, self._window = contract, mapping, window
        self._columns = privacy.columns(contract, mapping)
        self._key, self._key_version = settings.person_key_secret()
        self._unannounced: Counter[str] = Counter()
        self._absent: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.greatest: str | None = None

    def rows(self, pages: Iterable[Page]) -> Iterator[pl.DataFrame]:
        """Protected frames with the landing's columns, at least ROW_GROUP rows each but the last."""
        held: list[pl.DataFrame] = []
        for page in pages:
            held.append(self._take(page))
            if sum(f.height for f in held) >= ROW_GROUP:
                yield pl.concat(held)
                held = []
        if held or not self.counts:
            yield pl.concat([self._empty(), *held])

    def drift(self) -> dict[str, tuple[str, int]]:
        """Field -> (kind, rows) where the source differs from what was agreed."""
        mandatory = {self._mapping.names.get(f.name) for f in self._contract.supplied if f.mandatory}
        mandatory |= set(self._mapping.envelope)
        absent = {
            name: ("missing_mandatory" if name in mandatory else "missing_optional", rows)
            for name, rows in self._absent.items()
        }
        return absent | {name: ("unannounced", rows) for name, rows in self._unannounced.items()}

    def check(self, who: str) -> None:
        """Raise MandatoryGone if a mandatory field was in no row at all."""
        drift, rows = self.drift(), self.counts[ITEMS]
        gone = [name for name, (kind, n) in drift.items() if kind == "missing_mandatory" and n == rows]
        if gone:
            raise MandatoryGone(
                f"{who}：必填字段 {'、'.join(gone)} 已不在报送数据中（{rows} 行），本次未装载，请报送单位恢复该字段。/ "
                f"mandatory field {', '.join(gone)} is gone from all {rows} rows; not loaded, "
                "ask the institution to restore it",
                drift,
            )

    def _take(self, page: Page) -> pl.DataFrame:
        self.counts[page.feed] += page.frame.height
        for name, rows in page.unannounced.items():
            self._unannounced[privacy.field_name(name)] += rows
        feed = pl.lit(page.feed).alias("_feed")
        if page.feed != ITEMS:
            return pl.concat([self._empty(), page.frame.with_columns(feed)], how="diagonal")
        self._absent.update(dict.fromkeys(page.absent, page.frame.height))
        if self._mapping.version_as in ("compact-time", "time"):
            version = mapped.source_version(self._mapping, None)
            times = page.frame.filter(version.is_not_null())[self._mapping.version_column]
            self.greatest = max(filter(None, (self.greatest, times.max())), default=None)
        safe = privacy.protect(page.frame, self._contract, self._mapping, self._key, self._key_version)
        return pl.concat([self._empty(), safe.with_columns(feed)], how="diagonal")

    def _empty(self) -> pl.DataFrame:
        extra = ("deleted_at", "old_key", "new_key") if self._mapping.version_as == "number" else ()
        names = dict.fromkeys([*self._columns, *extra, "_feed"])
        return pl.DataFrame(schema=dict.fromkeys(names, pl.String))


class _Digesting:
    """A file for writing that knows the SHA-256 of what was written."""

    closed = False

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._sha256 = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._sha256.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()


def _write(part: Path, frames: Iterator[pl.DataFrame]) -> str:
    """Write the frames as row groups; returns the file's SHA-256."""
    with part.open("wb") as file:
        out, writer = _Digesting(file), None
        for frame in ahead(frames, depth=1):
            table = frame.to_arrow(compat_level=pl.CompatLevel.newest())
            if writer is None:
                writer = pq.ParquetWriter(
                    pa.PythonFile(out, mode="w"), table.schema, compression="zstd", compression_level=1,
                    use_dictionary=False, write_statistics=False,
                )  # fmt: skip
            writer.write_table(table)
        writer.close()
        file.flush()
        if isinstance(part, Path):
            os.fsync(file.fileno())
    return out.hexdigest()


def _publish(folder: Path, part: Path, manifest: dict[str, Any]) -> Landed:
    """Give the batch its name. One that is there already is the same batch and stays as it is."""
    target = folder / f"{manifest['batch_id']}.parquet"
    beside = target.with_suffix(".json")
    if beside.exists():
        part.unlink()
        return find(str(target))
    part.rename(target)
    beside_part = folder / f"{part.name}.json"
    beside_part.write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")
    beside_part.rename(beside)
    return find(str(target))


def _sweep(folder: Path, as_of: date) -> None:
    """Remove unfinished files of earlier days: whoever wrote them was killed."""
    for left in folder.glob(".*.part*"):
        if left.name < f".{as_of}":
            left.unlink(missing_ok=True)


def _path(text: str) -> Any:
    """A local path, or Airflow's path for an object store."""
    if "://" not in text:
        return Path(text)
    from airflow.sdk import ObjectStoragePath  # slow to import, and only object stores need it

    return ObjectStoragePath(text)
