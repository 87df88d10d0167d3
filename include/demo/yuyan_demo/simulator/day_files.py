"""A simulated day on disk: the state that the platforms serve, and what the next day is made from."""

import hashlib
import json
import pickle
from importlib.metadata import version
from pathlib import Path

import polars as pl

from yuyan import files, settings
from yuyan.domain import contracts
from yuyan_demo.simulator import population
from yuyan_demo.simulator.population import SCALE, SEED, Population
from yuyan_demo.simulator.simulated_day import STALE

BASIS = (Path(__file__).parent, settings.CONTRACTS, settings.EXPECTATIONS, settings.SEEDS)
"""What a city is made by, besides its seed, its scale and the libraries."""
ROW_GROUP = 25_000
"""Rows that are read together: a platform reads those of its institution, which lie side by side, by their statistics."""


def write(
    home: Path,
    seed: int = SEED,
    scale: float = SCALE,
    day: int = 1,
    every_rule: bool = False,
    pace: float = 1.0,
) -> Population:
    """Make a day and write its state below `<home>/simulator/state/day_<N>/`.

    It is made from the day before where that was written here by the same means, which gives the same city as making all
    days anew (at the usual pace). `pace`: how many times as many records change on this day as on a usual one.
    """
    by = [seed, scale, every_rule, _basis()]
    before = _read(home, day - 1, by)
    made = (
        population.following(before, pace) if before else population.build(seed, scale, day, every_rule, pace)
    )
    folder = _folder(home, day)
    folder.mkdir(parents=True, exist_ok=True)
    for entity in made.frames:
        made.served(entity).write_parquet(
            folder / f"{entity}.parquet", compression="zstd", row_group_size=ROW_GROUP
        )
    meta = {"seed": seed, "scale": scale, "day": day, "as_of": str(made.as_of)}
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    files.write(_memory(home), pickle.dumps((by, day, made.ledger, made.frames[STALE])))
    return made


def _read(home: Path, day: int, by: list) -> Population | None:
    """The population of a day that was written last, and by these means; None where another was."""
    if not _memory(home).exists():
        return None
    try:
        known, number, ledger, stale = pickle.loads(_memory(home).read_bytes())
    except Exception:  # of another version, or damaged: the days are made anew
        return None
    if known != by or number != day:
        return None
    frames = {e: pl.read_parquet(_folder(home, day) / f"{e}.parquet") for e in contracts.load()}
    return Population(by[0], by[1], day, frames | {STALE: stale}, ledger)


def _folder(home: Path, day: int) -> Path:
    return Path(home) / "simulator" / "state" / f"day_{day}"


def _memory(home: Path) -> Path:
    """What a day knows besides what its platforms serve."""
    return Path(home) / "simulator" / "ledger.pickle"


def _basis() -> str:
    digest = hashlib.sha256(f"{version('polars')} {version('numpy')}".encode())
    for folder in BASIS:
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
