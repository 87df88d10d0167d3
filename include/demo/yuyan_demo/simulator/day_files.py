"""A simulated day on disk: the state that the platforms serve, and the truth that tests compare with."""

import json
from pathlib import Path

from yuyan_demo.simulator import truth
from yuyan_demo.simulator.population import SCALE, SEED, Population, build


def write(
    home: Path, seed: int = SEED, scale: float = SCALE, day: int = 1, every_rule: bool = False
) -> Population:
    """Build a day and write its state and its truth below `<home>/simulator/{state,truth}/day_<N>/`."""
    made = build(seed, scale, day, every_rule)
    folder = Path(home) / "simulator" / "state" / f"day_{day}"
    folder.mkdir(parents=True, exist_ok=True)
    for entity in made.frames:
        made.served(entity).write_parquet(folder / f"{entity}.parquet", compression="zstd", statistics=False)
    meta = {"seed": seed, "scale": scale, "day": day, "as_of": str(made.as_of)}
    (folder / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    truth.write(made, Path(home) / "simulator" / "truth" / f"day_{day}")
    return made
