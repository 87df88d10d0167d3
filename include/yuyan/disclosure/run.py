"""The stage after the marts that writes schema `published`: the same tables, without what tells of few persons or firms.

Whoever reads knows also what was published before. A figure that changed by fewer persons than the policy's minimum stays
as it was shown; one that was hidden stays hidden until it has changed by as many. `disclosure.cell` remembers both, for some
time also of what is not there any more.
"""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import psycopg

from yuyan import settings
from yuyan.disclosure import attack, counts, research, sums, tables
from yuyan.disclosure.cells import PLACE, Cells
from yuyan.disclosure.policy import Policy, load
from yuyan.disclosure.protect import System, beside, harden, protect, refute

AS_IS, KEPT, HIDDEN, CHANGED = 0, 1, 2, 3
"""What becomes of a count: as it is; as it was shown before; not shown; as it is, and not as it was shown before."""
ROUNDS = 50
_GONE = """
update disclosure.cell as c
set gone_on = greatest(%(as_of)s, (select as_of + 1 from disclosure.publication order by publication_no desc limit 1))
where c.gone_on is null and not exists (select from cell_now as n where n.place = c.place)
"""
_THERE = """
insert into disclosure.cell as known (place, shown, exact)
select n.place, n.shown, n.exact
from cell_now as n
left join disclosure.cell as c on c.place = n.place
where c.place is null or c.gone_on is not null or row(n.shown, n.exact) is distinct from row(c.shown, c.exact)
on conflict (place) do update set shown = excluded.shown, exact = excluded.exact, gone_on = null
"""


def publish(run_id: str, as_of: date) -> dict[str, Any]:
    """Write schema `published` from schema `marts` in one transaction.

    Returns counts: cells, hidden, kept, sums, and what an attack on the result finds: `told` (hidden cells that follow
    exactly) and `narrow` (for which fewer than `minimum` - 1 numbers are possible). Raises psycopg.errors.UndefinedTable
    when the marts were not built.
    """
    policy = load()
    with psycopg.connect(
        settings.warehouse_dsn("transform"), application_name=f"yuyan disclosure {run_id}"[:63]
    ) as connection:
        counted = counts.counted(connection, policy)
        cells = sums.system(counted, policy)
        known = _known(connection, cells)
        low, high = remember(cells, known, policy)
        found = secure(cells, low, high)
        states = _states(cells, known, policy)
        named = cells.refs.select("table", "row", "column", "cell").filter(pl.col("cell").is_not_null())
        modes = named.join(
            states.select("cell", "mode", "keep"), on="cell", how="left", maintain_order="left"
        )
        tables.write(connection, policy, counted, modes)
        students_left_out = research.write(connection, policy)
        _store(connection, cells, states, policy, run_id, as_of)
    return found | {"kept": int((modes["mode"] == KEPT).sum()), "students_left_out": students_left_out}


def secure(cells: Cells, low: np.ndarray, high: np.ndarray) -> dict[str, int]:
    """Hide until an attack finds nothing more that hiding could help; returns what it finds then.

    Company that follows from what is shown all the same is shown: hidden it keeps nothing back, and on another day it would
    stand among what must not be told.
    """
    system = cells.system
    real = np.zeros(len(system.value), dtype=bool)
    real[cells.refs["cell"].drop_nulls().to_numpy()] = True
    # what is hidden for its own sake; company may be computed where nothing of this follows
    secret = system.is_hidden.copy()
    told = narrow = follows = np.zeros(len(real), dtype=bool)
    attacked = None  # what was hidden when algebra looked last
    # company that was shown, whose sums algebra has not looked at since
    opened = np.zeros(len(real), dtype=bool)
    looked_again = opened.copy()

    def seen() -> tuple[System, np.ndarray]:
        """What readers have (what no table shows can only be computed), and the cells that an attack is judged by."""
        return replace(system, is_hidden=system.is_hidden | ~real), attack.judged(system) & secret

    def bounded(readers: System, judged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The cells that intervals tell, and those that they leave too little room."""
        least, greatest = attack.bounds(readers, low, high, ~system.is_money)
        room = greatest - least
        return judged & (room < attack.TOLERANCE), judged & (room < system.need - 2)

    for _ in range(ROUNDS):
        unprotected = protect(system)
        readers, judged = seen()
        changed = None if attacked is None else (system.is_hidden & ~attacked) | looked_again
        algebra = attack.Algebra(readers, changed)
        attacked, looked_again = system.is_hidden.copy(), np.zeros(len(real), dtype=bool)
        follows = np.where(algebra.is_looked_at, algebra.told(), follows)
        told = judged & follows
        proofs = algebra.proofs(np.flatnonzero(told & algebra.is_core))
        more = sum(refute(system, *proof) for proof in proofs)
        more += harden(system, told & ~algebra.is_core)
        if more:
            continue
        useless = follows & system.is_hidden & ~secret & ~system.is_open
        # readers know it already: showing it tells algebra nothing, but its sums want other company
        if useless.any():
            system.is_hidden[useless] = False
            system.is_open[useless] = True
            opened |= useless
            continue
        exact, narrow = bounded(readers, judged)
        told |= exact
        if harden(system, narrow | told):
            continue
        if not opened.any():
            break
        looked_again, opened = beside(system, opened), np.zeros(len(real), dtype=bool)
    else:  # nobody has looked at what the last round left
        readers, judged = seen()
        exact, narrow = bounded(readers, judged)
        told = exact | (judged & attack.Algebra(readers, None).told())
    return {
        "cells": int(real.sum()),
        "sums": len(system.total),
        "hidden": int((system.is_hidden & real).sum()),
        "unprotected": unprotected,
        "told": int(told.sum()),
        "narrow": int(narrow.sum()),
    }


def remember(cells: Cells, known: pl.DataFrame, policy: Policy) -> tuple[np.ndarray, np.ndarray]:
    """Take into account what was shown before; returns what readers know of each cell at least and at most."""
    system = cells.system
    low, high = system.least.copy(), np.full(len(system.value), np.inf)
    if not known.height:
        return low, high
    cell = known["cell"].to_numpy()
    shown, exact = known["shown"].to_numpy(), known["exact"].to_numpy()
    value = system.value[cell]
    by = np.where(system.is_money[cell], 0.0, policy.minimum)
    was_shown = ~np.isnan(shown)
    is_same = was_shown & (np.abs(value - shown) < 1e-6)
    is_near = was_shown & ~is_same & (np.abs(value - shown) < by)
    stays = ~was_shown & (np.abs(value - exact) < by)
    system.is_hidden[cell[is_same]] = False
    system.is_open[cell[is_same]] = True
    system.is_open[cell[was_shown & ~is_same]] = False  # an official total may stay as it was shown
    system.is_hidden[cell[is_near | (stays & ~system.is_open[cell])]] = True
    near = cell[is_near]
    low[near] = np.maximum(low[near], shown[is_near] - (policy.minimum - 1))
    high[near] = shown[is_near] + (policy.minimum - 1)
    system.least = low
    return low, high


def _key() -> pl.Expr:
    return pl.concat_str([pl.col(c).fill_null("") for c in PLACE], separator="|").alias("place")


def _placed(cells: Cells) -> pl.DataFrame:
    """Cells with their place as text; a second figure for the same place has the mark ~ and the columns where it stands."""
    first = cells.places.filter(pl.col("population").is_not_null()).select("cell", _key())
    twins = cells.refs.filter(pl.col("cell").is_not_null()).join(first, on="cell", how="anti")
    mark = pl.format("{}~{}.{}", _key(), "table", "column").alias("place")
    twins = twins.select("cell", mark)
    return pl.concat([first, twins]).unique("place", keep="first", maintain_order=True)


def _known(connection: psycopg.Connection, cells: Cells) -> pl.DataFrame:
    """cell, shown (NaN: hidden), exact: of every cell that was published before, as it last was.

    A figure that has begun to differ from another one of its place is known by what both were.
    """
    before = counts.read(connection, "select place, shown, exact from disclosure.cell")
    before = before.with_columns(pl.col("shown", "exact").cast(pl.Float64))
    placed = _placed(cells)
    own = placed.join(before, on="place", how="inner", maintain_order="left")
    begun = placed.join(own, on="cell", how="anti").with_columns(pl.col("place").str.split("~").list.first())
    both = pl.concat([own, begun.join(before, on="place", how="inner", maintain_order="left")])
    both = both.unique("cell", keep="first", maintain_order=True)
    return both.select("cell", pl.col("shown").fill_null(float("nan")), "exact")


def _states(cells: Cells, known: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """Per cell: mode, keep (what is shown in its place), value, and what the last publication knew."""
    system = cells.system
    official = cells.refs.filter("is_open")["cell"].unique()
    state = pl.DataFrame(
        {
            "cell": np.arange(len(system.value)),
            "value": system.value,
            "is_hidden": system.is_hidden,
            "is_money": system.is_money,
        }
    )
    state = state.join(known, on="cell", how="left").with_columns(pl.col("shown").fill_nan(None))
    difference = (pl.col("value") - pl.col("shown")).abs()
    keeps = pl.col("shown").is_not_null() & (
        ((difference < policy.minimum) & ~pl.col("is_money")) | pl.col("cell").is_in(official.implode())
    )
    state = state.with_columns(
        pl.when(pl.col("is_hidden") & keeps).then(KEPT)
        .when("is_hidden").then(HIDDEN)
        .when(difference > 1e-6).then(CHANGED)
        .otherwise(AS_IS).cast(pl.Int8).alias("mode")
    )  # fmt: skip
    return state.with_columns(pl.when(pl.col("mode") == KEPT).then("shown").alias("keep"))


def _store(
    connection: psycopg.Connection,
    cells: Cells,
    states: pl.DataFrame,
    policy: Policy,
    run_id: str,
    as_of: date,
) -> None:
    """What is shown of each cell now, and of a hidden one what it was when it was first hidden; what differs is written.

    A cell that is not there now stays as it was when it last was, until the policy's days are over.
    """
    shown = (
        pl.when(pl.col("mode") == HIDDEN)
        .then(None)
        .when(pl.col("mode") == KEPT)
        .then("keep")
        .otherwise("value")
    )
    near = (pl.col("value") - pl.col("exact")).abs() < policy.minimum
    exact = pl.when((pl.col("mode") == HIDDEN) & near).then("exact").otherwise("value")
    rows = states.join(_placed(cells), on="cell", how="inner").select(
        "place", shown.alias("shown"), exact.alias("exact")
    )
    connection.execute("create temp table cell_now (like disclosure.cell) on commit drop")
    with (
        connection.cursor() as cursor,
        cursor.copy("copy cell_now (place, shown, exact) from stdin with (format csv)") as copy,
    ):
        copy.write(rows.write_csv(include_header=False).encode())
    connection.execute("analyze cell_now")
    connection.execute(
        "delete from disclosure.cell where gone_on <= %s or place = any(%s)",
        [as_of - timedelta(days=policy.remembered_days), _alike_again(connection, cells)],
    )
    for statement in (_GONE, _THERE):
        connection.execute(statement, {"as_of": as_of})
    connection.execute("insert into disclosure.publication (run_id, as_of) values (%s, %s)", [run_id, as_of])


def _alike_again(connection: psycopg.Connection, cells: Cells) -> list[str]:
    """Remembered second figures that do not differ from the first of their place any more: what they were is that one's."""
    marked = counts.read(connection, "select place from disclosure.cell where place like '%~%'")
    first = cells.places.filter(pl.col("population").is_not_null()).select("cell", _key())
    figures = cells.refs.filter(pl.col("cell").is_not_null()).join(first, on="cell", how="inner")
    figures = figures.select(pl.format("{}~{}.{}", "place", "table", "column").alias("place"))
    return marked.join(figures, on="place", how="semi")["place"].to_list()
