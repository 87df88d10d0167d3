"""Cells and sums as they are collected, and the arrays that they become."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from yuyan.disclosure.counts import DIMENSIONS
from yuyan.disclosure.policy import Policy
from yuyan.disclosure.protect import System

PLACE = ("population", "period", *DIMENSIONS)


@dataclass
class Cells:
    """The system, which cell each count is (`refs` with column `cell`), and the place of each cell."""

    system: System
    refs: pl.DataFrame
    places: pl.DataFrame


class Builder:
    """Collects cells and sums; the arrays come at the end."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.count = 0
        self.frames: list[pl.DataFrame] = []
        self.sums: list[pl.DataFrame] = []  # total, part: one row per member
        self.sum_count = 0
        self.uniform: list[pl.Series] = []

    def add(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Number new cells; `frame` has PLACE and the columns of _cell."""
        frame = frame.with_columns(
            pl.int_range(self.count, self.count + frame.height, dtype=pl.Int64).alias("cell")
        )
        self.count += frame.height
        self.frames.append(frame)
        return frame

    def equate(self, members: pl.DataFrame) -> None:
        """Sums of `total` (cell, total_value) and `part` (cell, part_value), a row per part; what is left over is a cell."""
        if not members.height:
            return
        keys = members.select("total", "group").unique(maintain_order=True)
        keys = keys.with_columns(
            pl.int_range(self.sum_count, self.sum_count + keys.height, dtype=pl.Int64).alias("sum")
        )
        self.sum_count += keys.height
        members = members.join(keys, on=["total", "group"], how="left", maintain_order="left")
        over = members.group_by("sum").agg(
            pl.col("total").first(),
            (pl.col("total_value").first() - pl.col("part_value").sum()).alias("value"),
            pl.col("is_money").first(),
            pl.col("of_firms").first(),
        )
        left = over.filter(pl.col("value") > 1e-6).sort("sum")
        nothing = [pl.lit(None, dtype=pl.String).alias(d) for d in PLACE]
        leaves = self.add(
            left.select(
                *nothing, "value", pl.lit(False).alias("is_open"), "is_money", "of_firms",
                pl.lit(False).alias("exists"), pl.lit(False).alias("is_partial"),
            )
        )  # fmt: skip
        rest = left.select("sum", "total").with_columns(leaves["cell"].alias("part"))
        constant = over.with_columns(pl.min_horizontal("value", 0.0).alias("rest")).select("sum", "rest")
        both = pl.concat([members.select("sum", "total", "part"), rest.select("sum", "total", "part")])
        self.sums.append(both.join(constant, on="sum", how="left", maintain_order="left"))

    def equate_known(self, ties: pl.DataFrame) -> None:
        """Sums of one part and a difference that readers know: total, part, rest."""
        numbered = ties.with_columns(
            pl.int_range(self.sum_count, self.sum_count + ties.height, dtype=pl.Int64).alias("sum")
        )
        self.sum_count += ties.height
        self.sums.append(numbered.select("sum", "total", "part", "rest"))


def arrays(build: Builder, refs: pl.DataFrame, policy: Policy) -> Cells:
    frame = pl.concat(build.frames).sort("cell")
    value = frame["value"].to_numpy().astype(float)
    is_money, of_firms = frame["is_money"].to_numpy(), frame["of_firms"].to_numpy()
    minimum = np.where(of_firms, policy.firm_minimum, policy.minimum)
    hidden = ~is_money & (value > 0) & (value < minimum)
    for cells in build.uniform:
        hidden[cells.to_numpy()] = True
    is_open = frame["is_open"].to_numpy() & ((value == 0) | (value >= minimum))
    hidden &= ~is_open
    least = np.where(frame["exists"].to_numpy() & ~is_money, np.minimum(value, 1.0), 0.0)
    members = pl.concat(build.sums).sort("sum", maintain_order=True)
    sizes = members.group_by("sum", maintain_order=True).agg(
        pl.len(), pl.col("total").first(), pl.col("rest").first()
    )
    system = System(
        value=value,
        least=least,
        need=np.where(is_money, policy.protection, minimum).astype(float),
        is_money=is_money,
        is_open=is_open,
        is_hidden=hidden,
        total=sizes["total"].to_numpy(),
        start=np.concatenate([[0], np.cumsum(sizes["len"].to_numpy())]).astype(np.int64),
        member=members["part"].to_numpy(),
        rest=sizes["rest"].to_numpy().astype(float),
    )
    _zero_totals(system)
    return Cells(system, refs, frame.select("cell", *PLACE))


def _zero_totals(system: System) -> None:
    """Where nobody of a large whole is, nobody is in its parts: hiding the parts of a shown zero would hide nothing."""
    zeros = (system.value[system.total] == 0) & (system.rest == 0)
    of_sum = system.sum_of_member
    for _ in range(len(DIMENSIONS)):
        shown = zeros & ~system.is_hidden[system.total]
        told = system.member[shown[of_sum]]
        if not system.is_hidden[told].any():
            return
        system.is_hidden[told] = False
