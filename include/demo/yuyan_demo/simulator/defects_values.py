"""Conditions and values that the planted defects share."""

from collections.abc import Callable

import polars as pl

from yuyan.domain import contracts
from yuyan_demo.simulator.columns import USCC_LETTERS
from yuyan_demo.simulator.identities import Change, Row, right_check
from yuyan_demo.simulator.planting import shift_date

STUDYING = (pl.col("status_code") == "10") & (pl.col("entry_on") < "2026-01-01")
GONE = pl.col("status_code") == "90"
ENDED = pl.col("to_on").is_not_null()
CHANGED = pl.col("revision_kind").is_in(["2", "3"])
FIRST_ISSUE = pl.col("revision_no") == "0"
DEPARTED = pl.col("departed_on").is_not_null()
SUBMITTED = pl.col("submitted_on").is_not_null()
BEFORE_2025 = pl.col("sampling_year") < "2025"

NOBODY = "91500000MA00000000"
"""A credit code of the right length whose check character is wrong."""

Value = Callable[[Row], str]


def parent(name: str) -> Value:
    """A field of the planted parent."""
    return lambda r: r["_p"][name]


def moved(name: str, days: int) -> Value:
    """A date of the record itself, moved by some days."""
    return lambda r: shift_date(r[name], days)


def added(*names: str, plus: int = 0) -> Value:
    """A sum of the record's own numbers."""
    return lambda r: str(sum(int(r[n]) for n in names) + plus)


def next_ay(row: Row) -> str:
    """The academic year after the sampling frame."""
    start = int(row["frame_ay"][:4]) + 1
    return f"{start}-{start + 1}"


def wrong_check(row: Row) -> str:
    """A credit code whose check character is the one after the right one."""
    right = right_check(row)
    return right[:-1] + USCC_LETTERS[(USCC_LETTERS.index(right[-1]) + 1) % 31]


def neighbour(row: Row) -> str:
    """Another discipline of the same category."""
    own = row["discipline_code"]
    return next(
        c for c in sorted(contracts.code_sets()["discipline"]) if c[:2] == own[:2] and c not in (own, own[:2])
    )


def award_of(point: Value) -> Change:
    """Level, type, discipline and degree code of an award, from its degree point."""

    def code(row: Row) -> str:
        _, level, kind, discipline = point(row).split("-")
        return f"{'2' if level == '1' else '3'}{'90' if kind == '2' else discipline[:2]}"

    parts = {"degree_level": 1, "degree_type": 2, "discipline_code": 3}
    return {"degree_code": code} | {
        name: (lambda r, i=i: point(r).split("-")[i]) for name, i in parts.items()
    }


def unsampled(frames: dict[str, pl.DataFrame]) -> pl.Expr:
    """Awards that no sampling refers to: nothing depends on them."""
    return ~pl.col("award_id").is_in(frames["thesis_sampling"]["award_id"].implode())
