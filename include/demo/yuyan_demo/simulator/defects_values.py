"""Conditions and values that the planted defects share."""

from collections.abc import Callable

import polars as pl

from yuyan.domain import contracts
from yuyan_demo.simulator.identities import Change, Row
from yuyan_demo.simulator.planting import shift_date

STUDYING = (pl.col("status_code") == "10") & (pl.col("entry_on") < "2026-01-01")
GONE = pl.col("status_code") == "90"
GRANTS_BACHELOR = pl.col("src_inst_code") != "89650"
SUBMITTED = pl.col("submitted_on").is_not_null()

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


def elsewhere(row: Row) -> str:
    """Another institution than the one that reports."""
    return "10635" if row["src_inst_code"] != "10635" else "10611"


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
