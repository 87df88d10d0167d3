"""The population of one day as the platforms see it: `<home>/simulator/state/day_<N>/<entity>.parquet`.

Columns: src_inst_code, src_record_id, change_version (int), updated_at (datetime without zone, Beijing time), is_deleted
(bool) and one text column per supplied contract field.
"""

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from yuyan import files
from yuyan.domain.contracts import Contract

META = ("src_inst_code", "src_record_id", "change_version", "updated_at", "is_deleted")
PHONE = "guardian_phone"


def day_folder(home: Path, day: int) -> Path:
    """Folder of the state of a simulated day, from 1."""
    return home / "simulator" / "state" / f"day_{day}"


def has(home: Path, day: int, contract: Contract) -> bool:
    """Whether that day knew the entity with all its fields: a city made by an older version lacks later ones."""
    path = day_folder(home, day) / f"{contract.entity}.parquet"
    return path.exists() and {f.name for f in contract.supplied} <= set(pl.read_parquet_schema(path))


def scan(home: Path, day: int, entity: str) -> pl.LazyFrame:
    """One entity of a day, all institutions. Raises FileNotFoundError naming the file."""
    path = day_folder(home, day) / f"{entity}.parquet"
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; generate day {day} before the platforms serve it")
    return pl.scan_parquet(path)


def institutions(home: Path, day: int) -> list[str]:
    """Codes of all institutions that have a record, sorted."""
    files = sorted(day_folder(home, day).glob("*.parquet"))
    if not files:
        raise FileNotFoundError(f"{day_folder(home, day)} holds no state; generate day {day} first")
    codes = pl.concat([pl.scan_parquet(f).select("src_inst_code").unique() for f in files]).unique().collect()
    return sorted(codes["src_inst_code"].drop_nulls())


def change_versions(home: Path, day: int) -> dict[str, int]:
    """Greatest change version of each institution over all entities."""
    files = sorted(day_folder(home, day).glob("*.parquet"))
    parts = [pl.scan_parquet(f).group_by("src_inst_code").agg(pl.col("change_version").max()) for f in files]
    return dict(
        pl.concat(parts).group_by("src_inst_code").agg(pl.col("change_version").max()).collect().iter_rows()
    )


def records(home: Path, day: int, entity: str, inst: str) -> pl.DataFrame:
    """Records of one institution, deleted ones included, ordered by src_record_id (byte order)."""
    return scan(home, day, entity).filter(pl.col("src_inst_code") == inst).sort("src_record_id").collect()


def guardian_phone(frame: pl.DataFrame) -> pl.Series:
    """An invented telephone number per record: 199 and eight digits that follow from the record id."""
    digits = (frame["src_record_id"].hash(7) % 100_000_000).cast(pl.String).str.zfill(8)
    return ("199" + digits).alias(PHONE)


def read_json(path: Path, default: Any) -> Any:
    """Content of a JSON file, or the default when there is none. Raises files.DamagedFile."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return default
    except ValueError as error:
        raise files.DamagedFile(f"{path} is empty or damaged ({error}); `make clean` starts anew") from None


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file at once: a reader sees the old content or the new, never half of it."""
    files.write(path, json.dumps(content, ensure_ascii=False, indent=1))


class Cache:
    """The most recently used frames, by key, up to a number of bytes; a frame is loaded once even when many ask."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._frames: OrderedDict[tuple, pl.DataFrame] = OrderedDict()
        self._loading: dict[tuple, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple, load: Callable[[], pl.DataFrame]) -> pl.DataFrame:
        """The frame of this key, loaded if it is not held."""
        with self._lock:
            if key in self._frames:
                self._frames.move_to_end(key)
                return self._frames[key]
            loading = self._loading.setdefault(key, threading.Lock())
        with loading:
            with self._lock:
                if key in self._frames:
                    return self._frames[key]
            frame = load()
            with self._lock:
                self._frames[key] = frame
                self._loading.pop(key, None)
                size = sum(f.estimated_size() for f in self._frames.values())
                while size > self._max_bytes and len(self._frames) > 1:
                    _, oldest = self._frames.popitem(last=False)
                    size -= oldest.estimated_size()
            return frame

    def clear(self) -> None:
        """Forget everything, since the platforms have moved on to another day."""
        with self._lock:
            self._frames.clear()
