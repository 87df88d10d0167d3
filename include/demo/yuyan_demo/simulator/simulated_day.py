"""One simulated day in the making, and what has to be remembered from day to day."""

from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import polars as pl

from yuyan import settings
from yuyan_demo.simulator.columns import hexadecimal, mix, series
from yuyan_demo.simulator.planting import KEY, VERSIONS_PER_DAY, Defect, Row, moment

STALE = "practice_participation"
"""The entity of which an old version comes again on day 2, at one legacy and one exchange platform."""

LATE = -1
"""Mark of a change that was made earlier than it appears."""


@dataclass
class Ledger:
    """What has to be remembered from day to day."""

    defects: list[Defect] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)
    later: dict[str, list[Row]] = field(default_factory=dict)
    fallback: dict[str, pl.DataFrame] = field(default_factory=dict)
    stale: pl.DataFrame | None = None


@dataclass
class Day:
    """One day in the making: the frames before it and the changes collected so far. `pace`: how many times as many records
    change as they do in a usual day."""

    frames: dict[str, pl.DataFrame]
    number: int
    rng: np.random.Generator
    taken: set[str]
    pace: float = 1.0
    changes: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    made: int = 0

    @property
    def today(self) -> str:
        """The day's date as text."""
        return str(settings.FIRST_AS_OF + timedelta(days=self.number - 1))

    def some(
        self, entity: str, share: float, least: int, where: pl.Expr | None = None, inst: str | None = None
    ) -> pl.DataFrame:
        """A share of the sound, live records that have not changed today; they will not be chosen again today."""
        frame = self.frames[entity].filter(
            ~pl.col("is_deleted") & ~pl.col("src_record_id").is_in(sorted(self.taken))
        )
        n = max(least, round(share * self.pace * len(self.frames[entity])))
        frame = frame.filter(pl.col("src_inst_code") == inst) if inst else frame
        frame = frame.filter(where) if where is not None else frame
        picked = np.sort(self.rng.choice(len(frame), min(n, len(frame)), replace=False))
        chosen = frame[picked]
        self.taken.update(chosen["src_record_id"])
        return chosen

    def change(self, entity: str, rows: pl.DataFrame, *exprs: pl.Expr) -> pl.DataFrame:
        """Note changed records."""
        changed = rows.with_columns(*exprs)
        self.changes.setdefault(entity, []).append(changed)
        return changed

    def new(self, entity: str, rows: pl.DataFrame, *exprs: pl.Expr) -> pl.DataFrame:
        """Note new records, made from others: with record ids of their own."""
        number = np.arange(len(rows)) + self.made + series(entity, self.number)
        self.made += len(rows)
        return self.change(entity, rows.with_columns(hexadecimal(mix(number)).alias("src_record_id")), *exprs)

    def stamped(self) -> dict[str, pl.DataFrame]:
        """The day's changes with versions and update times; a row keeps its own update time if it is of the late kind."""
        result = {}
        for entity, parts in self.changes.items():
            rows = pl.concat(parts).sort(KEY)
            place = pl.int_range(pl.len()).over("src_inst_code")
            fresh = pl.lit(moment(self.number)).cast(pl.Datetime("us")) + pl.duration(
                seconds=place % 2900 + 30, time_unit="us"
            )
            late = pl.col("change_version") == LATE
            result[entity] = rows.with_columns(
                pl.when(late).then("updated_at").otherwise(fresh).alias("updated_at"),
                (place + 1 + self.number * VERSIONS_PER_DAY).cast(pl.Int64).alias("change_version"),
            )
        return result
