"""Which cells are hidden: those of few persons, and as many others as it takes that none of them can be computed.

A system has cells and sums: each sum says that one cell is the total of others. Whoever reads the published tables knows all
sums, also those over several tables, so a hidden cell needs company in each of them.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

ROUNDS = 200
DEPTH = 12
REACH = 4
"""How many sums away a cell is hidden where all cells nearer are."""


@dataclass
class System:
    """Cells (arrays by cell) and sums between them (arrays by sum and by member).

    `value` exact; `least` what a reader knows it is at least; `need` by how much it must stay uncertain; `is_open` shown
    whatever follows (official totals, and what readers know already); `is_hidden` the result. A sum: cell `total` = cells
    `member[start[i]:start[i + 1]]` + `rest`, which readers know.
    """

    value: np.ndarray
    least: np.ndarray
    need: np.ndarray
    is_money: np.ndarray
    is_open: np.ndarray
    is_hidden: np.ndarray
    total: np.ndarray
    start: np.ndarray
    member: np.ndarray
    rest: np.ndarray

    @cached_property
    def sum_of_member(self) -> np.ndarray:
        return np.repeat(np.arange(len(self.total)), np.diff(self.start))

    @cached_property
    def by_size(self) -> tuple[np.ndarray, np.ndarray]:
        """(sum, cell) of all members and totals, by sum and within it by size."""
        sums = np.concatenate([self.sum_of_member, np.arange(len(self.total))])
        cells = np.concatenate([self.member, self.total])
        order = np.lexsort((self.value[cells], sums))
        return sums[order], cells[order]


def protect(system: System) -> int:
    """Hide what must be hidden beside the cells that are; returns how many sums could not be protected.

    In every sum with a hidden cell a second one is hidden, and what the hidden parts of a shown total add up to leaves each
    of them `need` uncertain. The cell that is hidden besides is the smallest that is enough.
    """
    if not len(system.total):
        return 0
    order = system.by_size
    for _ in range(ROUNDS):
        bad = unprotected(system)
        if not bad.any():
            return 0
        chosen = _next(system, order, bad)
        if not len(chosen):
            break
        system.is_hidden[chosen] = True
    return int(unprotected(system).sum())


def unprotected(system: System) -> np.ndarray:
    """By sum: does it tell a hidden cell, or too much of one?"""
    hidden = system.is_hidden[system.member]
    starts = system.start[:-1]
    slack = np.where(hidden, (system.value - lows(system))[system.member], 0.0)
    count = np.add.reduceat(hidden.astype(np.int64), starts)
    total = np.add.reduceat(slack, starts)
    greatest = np.maximum.reduceat(slack, starts)
    need = np.maximum.reduceat(np.where(hidden, system.need[system.member], 0.0), starts)
    money = np.maximum.reduceat(hidden & system.is_money[system.member], starts)
    total_hidden = system.is_hidden[system.total]
    # nobody among nobody: no cell beside it could keep that back
    something = (
        np.maximum.reduceat(np.where(hidden, system.value[system.member], 0.0), starts)
        + total_hidden * system.value[system.total]
        > 0
    )
    alone = ((count + total_hidden) == 1) & something
    # money: the second largest must blur the largest; persons: what is hidden together must be large enough
    narrow = np.where(money, total - greatest < need * greatest, total < need)
    return alone | (~total_hidden & (count > 0) & narrow)


def lows(system: System) -> np.ndarray:
    """What a reader knows each cell to be at least: the sum of what its parts are at least."""
    low = np.where(system.is_hidden, system.least, system.value)
    is_above = system.is_hidden[system.total]  # a shown total is its value
    keep = is_above[system.sum_of_member]
    members, sums = system.member[keep], system.sum_of_member[keep]
    total = system.total[is_above]
    for _ in range(DEPTH):
        below = (np.bincount(sums, low[members], len(system.total)) + system.rest)[is_above]
        higher = below > low[total] + 1e-9
        if not higher.any():
            break
        np.maximum.at(low, total[higher], below[higher])
    return np.minimum(low, system.value)


def _next(system: System, order: tuple[np.ndarray, np.ndarray], bad: np.ndarray) -> np.ndarray:
    """The smallest cell of each bad sum that may still be hidden and adds to what is uncertain; where there is none, of a
    sum with one hidden cell, any that may: a 0 that is hidden could have been the hidden figure."""
    sums, cells = order
    free = bad[sums] & ~system.is_hidden[cells] & ~system.is_open[cells]
    helps = free & (system.value[cells] > system.least[cells])
    served, first = np.unique(sums[helps], return_index=True)
    chosen = cells[helps][first]
    alone = np.bincount(sums, system.is_hidden[cells], len(system.total)) == 1
    alone[served] = False
    left = free & alone[sums]
    _, second = np.unique(sums[left], return_index=True)
    return np.unique(np.concatenate([chosen, cells[left][second]]))


def refute(system: System, known: np.ndarray, is_needed: np.ndarray) -> int:
    """Hide one of the cells from which another follows, best one that every proof needs; returns how many: 1 or 0."""
    free = ~system.is_hidden[known] & ~system.is_open[known]
    if not free.any():
        return 0
    known, is_needed = known[free], is_needed[free]
    is_nothing = system.value[known] <= system.least[known]
    system.is_hidden[known[np.lexsort((system.value[known], is_nothing, ~is_needed))[0]]] = True
    return 1


def harden(system: System, weak: np.ndarray) -> int:
    """Hide one cell more in every sum with a cell of which too much is known, or else in those near it; returns how many."""
    order = system.by_size
    for _ in range(REACH):
        bad = weak[system.total]
        np.logical_or.at(bad, system.sum_of_member, weak[system.member])
        chosen = _next(system, order, bad)
        if len(chosen):
            system.is_hidden[chosen] = True
            return len(chosen)
        weak = weak.copy()
        weak[system.total[bad]] = True
        weak[system.member[bad[system.sum_of_member]]] = True
    return 0


def beside(system: System, cells: np.ndarray) -> np.ndarray:
    """By cell: does it stand in a sum with one of these?"""
    sums = cells[system.total]
    sums[system.sum_of_member[cells[system.member]]] = True
    found = np.zeros(len(system.value), dtype=bool)
    found[system.member[sums[system.sum_of_member]]] = True
    found[system.total[sums]] = True
    return found
