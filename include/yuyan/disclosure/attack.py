"""What a reader can find out about hidden cells: bounds that follow from all sums, and cells that follow exactly."""

from collections.abc import Iterator

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from yuyan.disclosure.protect import System

ROUNDS = 60
TOLERANCE = 1e-6
REPEATED = 1e-10
PART = 1e-4


def bounds(
    system: System, low: np.ndarray | None = None, high: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest value of each cell that agrees with everything shown, by propagation over all sums.

    `low` and `high` are what is known of hidden cells beforehand (an earlier day's figure); a shown cell is its value.
    """
    known = ~system.is_hidden
    low = np.where(known, system.value, system.least if low is None else np.maximum(low, system.least))
    high = np.where(known, system.value, np.inf if high is None else high)
    touched = np.add.reduceat(system.is_hidden[system.member].astype(np.int64), system.start[:-1]) > 0
    touched |= system.is_hidden[system.total]
    of_sum = system.sum_of_member
    keep = touched[of_sum]
    members, sums = system.member[keep], of_sum[keep]
    size, total, rest = len(system.total), system.total, system.rest
    for _ in range(ROUNDS):
        before = low[system.is_hidden].sum(), np.isfinite(high).sum(), high[np.isfinite(high)].sum()
        below = np.bincount(sums, low[members], size)
        endless = np.bincount(sums, ~np.isfinite(high[members]), size)
        above = np.bincount(sums, np.where(np.isfinite(high[members]), high[members], 0.0), size)
        np.maximum.at(low, total[touched], (below + rest)[touched])
        closed = touched & (endless == 0)
        np.minimum.at(high, total[closed], (above + rest)[closed])
        np.minimum.at(high, members, high[total[sums]] - rest[sums] - (below[sums] - low[members]))
        others_endless = endless[sums] - ~np.isfinite(high[members])
        others_above = above[sums] - np.where(np.isfinite(high[members]), high[members], 0.0)
        least = np.where(others_endless == 0, low[total[sums]] - rest[sums] - others_above, -np.inf)
        np.maximum.at(low, members, least)
        after = low[system.is_hidden].sum(), np.isfinite(high).sum(), high[np.isfinite(high)].sum()
        if np.allclose(before, after, rtol=0, atol=TOLERANCE):
            break
    return low, high


class Algebra:
    """Linear algebra over all sums with something hidden at once: which cells follow exactly, and from what.

    A cell follows where all solutions of the sums agree on it, so where a random difference of two solutions has a 0. Such a
    difference z is a random vector r without what the sums A have of it: z + A'y = r, Az = 0, one sparse factorisation. The
    small number beside it lets sums that repeat others be; it moves z by far less than TOLERANCE.
    """

    def __init__(self, system: System, seed: int = 2026) -> None:
        self.random = np.random.default_rng(seed)
        self.hidden = np.flatnonzero(system.is_hidden)
        self.place = np.full(len(system.value), -1)
        self.place[self.hidden] = np.arange(len(self.hidden))
        sums = np.concatenate([system.sum_of_member, np.arange(len(system.total))])
        cells = np.concatenate([system.member, system.total])
        signs = np.concatenate([np.ones(len(system.member)), -np.ones(len(system.total))])
        every = sparse.csr_matrix((signs, (sums, cells)), shape=(len(system.total), len(system.value)))
        inside = every[:, self.hidden]
        used = np.diff(inside.indptr) > 0
        self.sums, self.count = every[used], int(used.sum())
        if self.count:
            inside, repeated = inside[used], -REPEATED * sparse.identity(self.count)
            blocks = [[sparse.identity(len(self.hidden)), inside.T], [inside, repeated]]
            matrix = sparse.bmat(blocks, format="csc")
            self.factors = splu(
                matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}
            )
            parts = connected_components(matrix, directed=False)[1]
            self.part, self.part_of_sum = parts[: len(self.hidden)], parts[len(self.hidden) :]
            # sums that repeat others, at random: a cell that is in none of them is known by one proof only
            random = np.concatenate([np.zeros(len(self.hidden)), self.random.standard_normal(self.count)])
            repeats = self.factors.solve(random)[len(self.hidden) :] * REPEATED
            self.repeats = np.abs(self.sums.T @ repeats) > PART

    def told(self) -> np.ndarray:
        """By cell: is it hidden, and follows all the same?"""
        follows = np.zeros(len(self.place), dtype=bool)
        if self.count:
            random = np.concatenate([self.random.standard_normal(len(self.hidden)), np.zeros(self.count)])
            difference = self.factors.solve(random)[: len(self.hidden)]
            follows[self.hidden[np.abs(difference) < TOLERANCE]] = True
        return follows

    def proofs(self, cells: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each cell that is told: the cells from which it follows; and for which of them there is no way round.

        Cells that share no sum are solved for at once.
        """
        parts = self.part[self.place[cells]]
        order = np.argsort(parts, kind="stable")
        cells, parts = cells[order], parts[order]
        turn = np.arange(len(cells)) - np.searchsorted(parts, parts)
        sums = np.argsort(self.part_of_sum, kind="stable")
        first = np.searchsorted(self.part_of_sum[sums], parts)
        last = np.searchsorted(self.part_of_sum[sums], parts, side="right")
        for number in range(turn.max(initial=-1) + 1):
            chosen = np.flatnonzero(turn == number)
            ones = np.zeros(len(self.hidden) + self.count)
            ones[self.place[cells[chosen]]] = 1.0
            weights = self.factors.solve(ones)[len(self.hidden) :]
            for one in chosen:
                own = sums[first[one] : last[one]]
                weight = self.sums[own].T @ weights[own]
                known = np.flatnonzero((np.abs(weight) > PART) & (self.place < 0))
                yield known, ~self.repeats[known]


def judged(system: System) -> np.ndarray:
    """Hidden cells with somebody in them: of these nothing may be told. (Nobody among few is hidden where it can be.)"""
    return system.is_hidden & (system.value >= 1) & ~system.is_money


def narrow(system: System, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Hidden cells for which fewer numbers are possible than a figure below the minimum leaves anyway (1 to minimum - 1)."""
    least, greatest = bounds(system, low, high)
    return judged(system) & (greatest - least < system.need - 2)
