"""What a reader can find out about hidden cells: bounds that follow from all sums, and cells that follow exactly."""

from collections.abc import Iterator

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import SuperLU, splu

from yuyan.disclosure.protect import System

ROUNDS = 60
TOLERANCE = 1e-6
REPEATED = 1e-10
PART = 1e-4
SYMMETRIC = {"diag_pivot_thresh": 0.0, "relax": 1, "panel_size": 4, "options": {"SymmetricMode": True}}
"""For SuperLU; narrow panels suit factors as sparse as these."""
AT_ONCE = 64


def bounds(
    system: System,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
    asked: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest value of each cell that agrees with everything shown, by propagation over all sums.

    `low` and `high` are what is known of hidden cells beforehand (an earlier day's figure); a shown cell is its value.
    `asked`: only sums that add up to one of these cells are looked at. Money that may be below 0 never comes to rest.
    """
    known = ~system.is_hidden
    low = np.where(known, system.value, system.least if low is None else np.maximum(low, system.least))
    high = np.where(known, system.value, np.inf if high is None else high)
    touched = np.add.reduceat(system.is_hidden[system.member].astype(np.int64), system.start[:-1]) > 0
    touched |= system.is_hidden[system.total]
    if asked is not None:
        touched &= asked[system.total]
    size, total, rest = len(system.total), system.total, system.rest
    keep = touched[system.sum_of_member]
    every_member, every_sum = system.member[keep], system.sum_of_member[keep]
    waiting = touched  # sums of which a cell has moved since they were looked at
    for _ in range(ROUNDS):
        before = low.copy(), high.copy()
        looked = waiting[every_sum]
        members, sums = every_member[looked], every_sum[looked]
        is_endless = ~np.isfinite(high[members])
        finite = np.where(is_endless, 0.0, high[members])
        below = np.bincount(sums, low[members], size)
        endless = np.bincount(sums, is_endless, size)
        above = np.bincount(sums, finite, size)
        np.maximum.at(low, total[waiting], (below + rest)[waiting])
        closed = waiting & (endless == 0)
        np.minimum.at(high, total[closed], (above + rest)[closed])
        np.minimum.at(high, members, high[total[sums]] - rest[sums] - (below[sums] - low[members]))
        is_endless = ~np.isfinite(high[members])
        others_above = above[sums] - np.where(is_endless, 0.0, high[members])
        least = np.where(endless[sums] == is_endless, low[total[sums]] - rest[sums] - others_above, -np.inf)
        np.maximum.at(low, members, least)
        moved = (low != before[0]) | (high != before[1])
        waiting = touched & moved[total]
        waiting[every_sum[moved[every_member]]] = True
        if not waiting.any():
            break
    return low, high


class Algebra:
    """Linear algebra over all sums with something hidden at once: which cells follow exactly, and from what.

    A cell follows where all solutions of the sums agree on it, so where a random difference of two solutions has a 0. Such a
    difference z is a random vector r without what the sums A have of it: z + A'y = r, Az = 0, so AA'y = Ar, a sparse
    factorisation of each component. The small number beside it lets sums that repeat others be; it moves z by far less than
    TOLERANCE.

    A cell that stands in one sum only takes any value, and its sum says nothing of the others: both are left out, and so on,
    until the core is left, which is factorised; z of what was left out follows from it. `changed`: only what shares sums
    with these cells, directly or over others, is looked at.
    """

    def __init__(self, system: System, changed: np.ndarray | None = None, seed: int = 2026) -> None:
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
        every, self.inside = every[used], inside[used]
        parts = connected_components(
            sparse.bmat([[None, self.inside.T], [self.inside, None]]), directed=False
        )[1]
        self.part, part_of_sum = parts[: len(self.hidden)], parts[len(self.hidden) :]
        touched = np.ones(parts.max(initial=-1) + 1, dtype=bool)
        if changed is not None:
            touched[:] = False
            touched[self.part[self.place[changed & system.is_hidden]]] = True
        rows, columns = touched[part_of_sum], touched[self.part]
        self.is_looked_at = np.zeros(len(system.value), dtype=bool)
        self.is_looked_at[self.hidden[columns]] = True
        self.rounds = self._leave_out(rows, columns)
        self.columns, self.sums, self.part_of_sum = np.flatnonzero(columns), every[rows], part_of_sum[rows]
        self.is_core = np.zeros(len(system.value), dtype=bool)
        self.is_core[self.hidden[columns]] = True
        self.core = self.inside[rows][:, columns].tocsr()
        self.factors = dict(self._factors())
        # sums that repeat others, at random: a cell that is in none of them is known by one proof only
        repeats = self._weights(self.random.standard_normal(rows.sum()))
        self.repeats = np.abs(self.sums.T @ (repeats * REPEATED)) > PART

    def _factors(self) -> Iterator[tuple[int, tuple[np.ndarray, SuperLU]]]:
        """By component: its sums in the core, and AA' of them as factors."""
        order = np.argsort(self.part_of_sum, kind="stable")
        found, first = np.unique(self.part_of_sum[order], return_index=True)
        for part, own in zip(found, np.split(order, first[1:]), strict=False):
            of_sums = self.core[own]
            product = of_sums @ of_sums.T + REPEATED * sparse.identity(len(own))
            yield part, (own, splu(product.tocsc(), permc_spec="MMD_AT_PLUS_A", **SYMMETRIC))

    def _leave_out(self, rows: np.ndarray, columns: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Unmark the sums and cells that are left out; returns, round by round, sums and the cell that each gives."""
        size = abs(self.inside)
        by_cell = self.inside.tocsc()
        count = np.where(columns, np.diff(by_cell.indptr), 0)
        rounds = []
        while len(leaves := np.flatnonzero(columns & (count == 1))):
            at = by_cell[:, leaves].tocoo()
            at_row, leaf = at.row[rows[at.row]], leaves[at.col[rows[at.row]]]
            chosen, first = np.unique(at_row, return_index=True)
            rounds.append((chosen, leaf[first]))
            rows[chosen] = False
            count -= np.asarray(size[chosen].sum(axis=0)).ravel().astype(int)
            columns &= count > 0
        columns &= count > 0
        return rounds

    def _weights(self, of_sums: np.ndarray) -> np.ndarray:
        """By sum of the core: y of AA'y = `of_sums`."""
        weights = np.zeros(len(of_sums))
        for own, factors in self.factors.values():
            weights[own] = factors.solve(of_sums[own])
        return weights

    def _difference(self) -> np.ndarray:
        """By hidden cell: a random difference of two solutions of the sums."""
        difference = self.random.standard_normal(len(self.hidden))
        if len(self.columns):
            core = difference[self.columns]
            difference[self.columns] = core - self.core.T @ self._weights(self.core @ core)
        for sums, cells in reversed(self.rounds):
            difference[cells] = 0.0
            of_sum = self.inside[sums]
            own = np.asarray(of_sum[np.arange(len(sums)), cells]).ravel()
            difference[cells] = -(of_sum @ difference) / own
        return difference

    def told(self) -> np.ndarray:
        """By cell: is it hidden, and follows all the same?"""
        follows = np.zeros(len(self.place), dtype=bool)
        follows[self.hidden] = True
        for _ in range(2):  # one of a million differences is nearly 0 by chance
            follows[self.hidden] &= np.abs(self._difference()) < TOLERANCE
        return follows & self.is_looked_at

    def proofs(self, cells: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each cell of the core that is told: the cells from which it follows; and for which there is no way round.

        One cell of every component, then another of every one.
        """
        at = np.searchsorted(self.columns, self.place[cells])
        parts = self.part[self.place[cells]]
        order = np.argsort(parts, kind="stable")
        at, parts = at[order], parts[order]
        turn = np.arange(len(at)) - np.searchsorted(parts, parts)
        known = [found for part in np.unique(parts) for found in self._from(part, at[parts == part])]
        for one in np.argsort(turn, kind="stable"):
            yield known[one], ~self.repeats[known[one]]

    def _from(self, part: int, columns: np.ndarray) -> Iterator[np.ndarray]:
        """The cells that are shown from which each of these cells of a component follows."""
        own, factors = self.factors[part]
        every = self.sums[own]
        is_used = np.zeros(len(self.place), dtype=bool)
        is_used[every.indices] = True
        known = np.flatnonzero(is_used & (self.place < 0))
        shown = every[:, known].T.tocsr()
        for some in np.split(columns, range(AT_ONCE, len(columns), AT_ONCE)):
            weights = factors.solve(self.core[own][:, some].toarray())
            for weight in np.abs(shown @ weights).T:
                yield known[weight > PART]


def judged(system: System) -> np.ndarray:
    """Hidden cells with somebody in them: of these nothing may be told. (Nobody among few is hidden where it can be.)"""
    return system.is_hidden & (system.value >= 1) & ~system.is_money
