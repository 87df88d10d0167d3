"""The landing area: what a source sent, after privacy, write-once.

A batch and its manifest are checked against their digests whenever they are read; a damaged one is refused by name, and kept
aside when the same batch is landed anew.

`<root>/<inst_code>/<entity>/<batch_id>.parquet` has the source's own field names plus `_feed` (items, deletes, keyChanges);
row numbers follow from the order. `<batch_id>.json` beside it says where the rows come from; it is written last.
"""

import hashlib
import io
import json
import logging
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from yuyan import settings
from yuyan.collect import mapping as mapped
from yuyan.collect.prefetch import prefetched
from yuyan.collect.reducer import PageReducer, Reduced, counted
from yuyan.collect.source import ITEMS, Page, SourceError, Window
from yuyan.domain.contracts import Contract
from yuyan.domain.entity_map import EntityMap
from yuyan.domain.institutions import Institution

log = logging.getLogger(__name__)

CONNECTOR_VERSION = 2
"""Since 2 a manifest has a digest of itself; those that landed before are known by their batch's id alone."""
BATCH_ROWS = 50_000
"""A window with more rows becomes several batches: each is landed and then loaded while the next is being fetched."""
BATCH_BYTES = 32 << 20
"""So does one whose rows take more memory."""
PIECES = 100
"""Pages of a batch that lie side by side: each takes some 20 KB beside its rows, and a page may have a single one."""


class DamagedBatch(SourceError):
    """A landed batch is not what was landed."""

    def __init__(self, uri: str, what: str) -> None:
        super().__init__(
            f"落地批次 {uri} 已损坏（{what}），未使用：请从备份恢复该批次的两个文件；没有备份则全量重采该实体"
            "（yuyan replay recollect --institution … --entity …）。/ "
            f"the landed batch {uri} is damaged and was not used: restore its two files, or recollect the entity in full"
        )


class LandingDown(SourceError):
    """The landing area cannot be written."""

    def __init__(self, why: Exception) -> None:
        # only an operating system's own words: others may quote a record
        words = why.strerror if isinstance(why, OSError) and why.strerror else type(why).__name__
        super().__init__(
            f"落地区 {settings.landing()} 无法写入（{words}），未装载：请检查空间、权限和连接，下一次采集会补齐。/ "
            "the landing area cannot be written; check its space, rights and connection, the next collection makes up for it"
        )


@dataclass(frozen=True)
class Landed:
    """A landed batch: its Parquet file and its manifest."""

    uri: str
    manifest: dict[str, Any]

    @property
    def batch_id(self) -> str:
        return self.manifest["batch_id"]

    def open(self) -> BinaryIO:
        """The Parquet file, for reading. Raises DamagedBatch where it is not what was landed, FileNotFoundError."""
        content = _path(self.uri).read_bytes()
        if hashlib.sha256(content).hexdigest() != self.manifest["payload_digest"]:
            raise DamagedBatch(self.uri, "内容与摘要不符")
        return io.BytesIO(content)


def find(uri: str) -> Landed:
    """A batch that was landed earlier. Raises FileNotFoundError, DamagedBatch when its manifest is not what was written."""
    try:
        manifest = json.loads(_path(uri).with_suffix(".json").read_text(encoding="utf-8"))
        is_ours = manifest["batch_id"] == _batch_id(manifest) and uri.endswith(
            f"/{manifest['batch_id']}.parquet"
        )
        is_whole = _is_whole(manifest)
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedBatch(uri, "清单无法读取") from error
    if not is_ours:
        raise DamagedBatch(uri, "清单与批次编号不符")
    if not is_whole:
        raise DamagedBatch(uri, "清单与其摘要不符")
    return Landed(uri, manifest)


def newest(inst_code: str, entity: str) -> Landed | None:
    """The batch that landed last of an entity and has records, the first of its window; None where nothing has landed.

    Raises DamagedBatch.
    """
    found = [
        find(str(file.with_suffix(".parquet")))
        for file in _folder(inst_code, entity).glob("*.json")
        if not file.name.startswith(".")
    ]
    found = [landed for landed in found if landed.manifest["rows"].get(ITEMS)]
    return max(found, key=lambda one: _place(one.manifest), default=None)


def _place(manifest: dict[str, Any]) -> tuple[str, Any, int, str]:
    """When a batch landed, for sorting; the first of a window comes last."""
    return manifest["as_of"], manifest["version"] or 0, -manifest["number"], manifest["batch_id"]


def listed_ids(landed: Landed, mapping: EntityMap) -> pl.Series:
    """Ids of the records that a landed batch shows, as raw has them. Raises DamagedBatch, FileNotFoundError."""
    with landed.open() as file:
        frame = pl.read_parquet(file, columns=[*mapping.record_id, "_feed"])
    return mapped.bounded(
        frame.filter(pl.col("_feed") == ITEMS).select(mapped.record_id(mapping)).to_series()
    )


def _batch_id(manifest: dict[str, Any]) -> str:
    """Digest of what a batch is: its window and its content."""
    # Two full listings of different runs are two statements, even if they say the same.
    run = manifest["run_id"] if manifest["mode"] == "full" else ""
    names = ("src_inst_code", "entity", "mode", "ref_period", "window_from", "window_to", "version")
    content = json.dumps([*(manifest[n] for n in names), run, manifest["number"], manifest["payload_digest"]])
    return hashlib.sha256(content.encode()).hexdigest()[:20]


def _is_whole(manifest: dict[str, Any]) -> bool:
    """Whether a manifest is what was written. Raises KeyError, TypeError."""
    if manifest["connector_version"] < 2 and "manifest_digest" not in manifest:
        return True
    return manifest["manifest_digest"] == _manifest_digest(manifest)


def _manifest_digest(manifest: dict[str, Any]) -> str:
    """Digest of all that a manifest says."""
    rest = {name: value for name, value in manifest.items() if name != "manifest_digest"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def land(
    institution: Institution,
    contract: Contract,
    mapping: EntityMap,
    window: Window,
    pages: Iterable[Page],
    run_id: str,
    as_of: date,
) -> Iterator[Landed]:
    """Write the pages of a window as batches of some BATCH_ROWS rows, each as soon as it is complete.

    An incremental window without rows makes none, any other at least one. Of a batch whose pages cannot all be had nothing
    is left behind. Raises SourceError from the source, MandatoryGone when a mandatory field has disappeared, LandingDown.

    >>> for landed in land(institution, contract, mapping, window, source.pages(window, meter), "run-1", as_of):
    ...     print(landed.uri, landed.manifest["rows"])
    """
    with _answering():
        folder = _folder(institution.inst_code, contract.entity)
        if not _is_bucket(folder):
            _make(folder)
            _sweep(folder, as_of)
    # a name of its own: a task that is tried again while an earlier try still works writes another
    name = f".{as_of}.{re.sub(r'[^0-9A-Za-z]+', '-', run_id)}.{secrets.token_hex(4)}.part"
    most = institution.platform.limits.unannounced
    reducer, so_far = PageReducer(contract, mapping, most), Reduced()
    pieces = (
        piece
        for piece in prefetched(map(reducer.reduce, pages), 4, lambda p: p.frame.estimated_size())
        if piece.frame.height
    )
    for number, (batch, is_last) in enumerate(_batches(pieces, most), start=1):
        so_far = counted(so_far, batch, most)
        reducer.check(so_far, f"{institution.inst_code} {institution.name} {contract.entity}")
        if window.mode == "incremental" and not batch.rows:
            return
        table = pl.concat([reducer.empty, batch.frame], how="diagonal").to_arrow(
            compat_level=pl.CompatLevel.newest()
        )
        with _answering():
            part = io.BytesIO() if _is_bucket(folder) else folder / name
            digest = _write(part, table)
        del table
        manifest = {
            "src_inst_code": institution.inst_code,
            "entity": contract.entity,
            "product": institution.product,
            "mode": window.mode,
            "ref_period": window.ref_period,
            "window_from": window.since,
            "window_to": window.until,
            "version": window.version,
            "file_name": window.file_name,
            "number": number,
            "is_last": is_last,
            "greatest": so_far.greatest,
            "rows": dict(batch.rows),
            "drift": reducer.drift(batch),
            "payload_digest": digest,
            "contract_version": contract.version,
            "connector_version": CONNECTOR_VERSION,
            "mapping_version": mapped.version(mapping),
            "as_of": as_of.isoformat(),
            "run_id": run_id,
        }
        with _answering():
            manifest = {"batch_id": _batch_id(manifest), **manifest}
            landed = _publish(folder, part, manifest | {"manifest_digest": _manifest_digest(manifest)})
        yield landed


def _batches(pieces: Iterable[Reduced], most: int) -> Iterator[tuple[Reduced, bool]]:
    """Pieces of at least BATCH_ROWS rows or BATCH_BYTES together, and whether they are the last ones; at least one batch."""
    batch, frames, size = Reduced(), [], 0
    for piece in pieces:
        if batch.rows.total() >= BATCH_ROWS or size >= BATCH_BYTES:
            yield replace(batch, frame=pl.concat(frames)), False
            batch, frames, size = Reduced(), [], 0
        batch, size = counted(batch, piece, most), size + piece.frame.estimated_size()
        frames.append(piece.frame)
        if len(frames) >= PIECES:
            frames = [pl.concat(frames, rechunk=True)]
    yield replace(batch, frame=pl.concat(frames)) if frames else batch, True


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


@contextmanager
def _answering() -> Iterator[None]:
    """Whatever a disk or an object store's library raises is LandingDown."""
    try:
        yield
    except SourceError:
        raise
    except Exception as error:
        log.warning("landing: %s", error)
        raise LandingDown(error) from error


def _write(part: Any, table: pa.Table) -> str:
    """Write a Parquet file that is on disk afterwards, or not there (or into memory); returns its SHA-256."""
    how = {"compression": "zstd", "compression_level": 1, "use_dictionary": False, "write_statistics": False}
    if isinstance(part, io.BytesIO):
        out = _Digesting(part)
        pq.write_table(table, pa.PythonFile(out, mode="w"), **how)
        return out.hexdigest()
    try:
        with part.open("wb") as file:
            out = _Digesting(file)
            pq.write_table(table, pa.PythonFile(out, mode="w"), **how)
            file.flush()
            if isinstance(part, Path):
                os.fsync(file.fileno())
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return out.hexdigest()


def _publish(folder: Any, part: Any, manifest: dict[str, Any]) -> Landed:
    """Give the batch its name. One that is there already is the same batch and stays, unless it is damaged: then it is
    kept aside under the name `<batch_id>.<suffix>.damaged` and this one takes its place.

    A file is written under another name and renamed. An object is put under its own at once: it appears whole, and to
    rename one is to copy and delete it.
    """
    target = folder / f"{manifest['batch_id']}.parquet"
    beside = target.with_suffix(".json")
    if beside.exists():
        try:
            landed = find(str(target))
            landed.open().close()
            if not _is_bucket(folder):
                part.unlink()
                _keep_names(folder)  # whoever landed it may have been killed before
            return landed
        except (DamagedBatch, FileNotFoundError) as error:
            log.warning("%s", error)
            for file in (beside, target):
                if file.exists():
                    file.rename(folder / f"{file.name}.damaged")
    text = json.dumps(manifest, ensure_ascii=False, indent=1)
    if _is_bucket(folder):
        target.write_bytes(part.getvalue())
        beside.write_text(text, encoding="utf-8")
        return find(str(target))
    part.rename(target)
    beside_part = folder / f"{part.name}.json"
    _write_text(beside_part, text)
    beside_part.rename(beside)
    _keep_names(folder)
    return find(str(target))


def _make(folder: Any) -> None:
    """Make a folder that outlasts a power failure."""
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _keep_names(folder.parent)
        _keep_names(folder.parent.parent)


def _write_text(part: Any, text: str) -> None:
    """Write a file that is on disk afterwards: a window does not come again once its rows are loaded."""
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        if isinstance(part, Path):
            os.fsync(file.fileno())


def _keep_names(folder: Any) -> None:
    """Let the names that files were given in a folder outlast a power failure (of no local path its library does)."""
    if not isinstance(folder, Path):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sweep(folder: Path, as_of: date) -> None:
    """Remove unfinished files of earlier days: whoever wrote them was killed."""
    for left in folder.glob(".*.part*"):
        if left.name < f".{as_of}":
            left.unlink(missing_ok=True)


def _folder(inst_code: str, entity: str) -> Any:
    return _path(settings.landing()) / inst_code / entity


def _path(text: str) -> Any:
    """A local path, or Airflow's path for an object store."""
    if "://" not in text:
        return Path(text)
    from airflow.sdk import ObjectStoragePath  # slow to import, and only object stores need it

    path = ObjectStoragePath(text)
    path.fs  # noqa: B018 - raises where the connection is unknown; the path would go without it, to another address
    return path


def _is_bucket(folder: Any) -> bool:
    """Buckets have no folders; asked for one, an object store would make the bucket that an address misspells."""
    return getattr(folder, "protocol", "file") != "file"
