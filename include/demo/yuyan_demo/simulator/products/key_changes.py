"""Records whose natural key changed, day by day, from comparing the states of two days.

`<home>/simulator/key_changes/day_<N>.parquet`: entity, src_inst_code, src_record_id, change_version, old_key, new_key.
"""

from pathlib import Path

import polars as pl

from yuyan_demo.simulator.products import state
from yuyan_demo.simulator.products.assignment import entities_of

SCHEMA = {
    "entity": pl.String,
    "src_inst_code": pl.String,
    "src_record_id": pl.String,
    "change_version": pl.Int64,
    "old_key": pl.String,
    "new_key": pl.String,
}


def write(home: Path, day: int, institutions: list[str]) -> None:
    """Derive a day's key changes of some institutions from its state and the one before. Day 1 has none."""
    changes = pl.DataFrame(schema=SCHEMA)
    if day > 1 and institutions:
        changes = pl.concat(
            [
                changes,
                *(
                    _compare(home, day, c.entity, c.key, institutions)
                    for c in entities_of(institutions[0])
                    if state.has(home, day - 1, c)
                ),
            ]
        )
    path = _path(home, day)
    path.parent.mkdir(parents=True, exist_ok=True)
    changes.write_parquet(path)


def read(home: Path, day: int) -> pl.DataFrame:
    """Key changes of all days up to this one, ordered by record id and change version."""
    parts = [pl.read_parquet(_path(home, d)) for d in range(1, day + 1) if _path(home, d).exists()]
    return pl.concat([pl.DataFrame(schema=SCHEMA), *parts]).sort("src_record_id", "change_version")


def _path(home: Path, day: int) -> Path:
    return home / "simulator" / "key_changes" / f"day_{day}.parquet"


def _compare(
    home: Path, day: int, entity: str, key: tuple[str, ...], institutions: list[str]
) -> pl.DataFrame:
    def keys(of_day: int) -> pl.LazyFrame:
        return (
            state.scan(home, of_day, entity)
            .filter(pl.col("src_inst_code").is_in(institutions), ~pl.col("is_deleted"))
            .select(
                pl.lit(entity).alias("entity"),
                "src_inst_code",
                "src_record_id",
                "change_version",
                pl.concat_str(key, separator="|").alias("key"),
            )
        )

    before = keys(day - 1).select("src_inst_code", "src_record_id", old_key="key")
    return (
        keys(day)
        .join(before, on=["src_inst_code", "src_record_id"])
        .filter(pl.col("key") != pl.col("old_key"))
        .rename({"key": "new_key"})
        .select(*SCHEMA)
        .collect()
    )
