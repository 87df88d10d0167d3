"""What a reader can find out about hidden cells: bounds that follow from all sums, and cells that follow exactly."""

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from yuyan.disclosure.protect import System

ROUNDS = 60
TOLERANCE = 1e-6


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


def told(system: System, most: int = 4000) -> tuple[np.ndarray, int]:
    """Cells that follow exactly from what is shown, by linear algebra; and how many are in components too large for it.

    The hidden cells fall into components that share no sum. A cell follows where every solution of its component's sums has
    the same value for it.
    """
    hidden = np.flatnonzero(system.is_hidden)
    place = np.full(len(system.value), -1)
    place[hidden] = np.arange(len(hidden))
    of_sum = system.sum_of_member
    rows = np.concatenate([of_sum, np.arange(len(system.total))])
    cells = np.concatenate([system.member, system.total])
    signs = np.concatenate([np.ones(len(of_sum)), -np.ones(len(system.total))])
    inside = place[cells] >= 0
    matrix = sparse.csr_matrix(
        (signs[inside], (rows[inside], place[cells[inside]])), shape=(len(system.total), len(hidden))
    )
    _, component = connected_components(matrix.T @ matrix, directed=False)
    found, skipped = [], 0
    order = np.argsort(component, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(component[order])) + 1):
        part = matrix[:, group]
        part = part[np.flatnonzero(np.diff(part.indptr))]
        if part.shape[0] == 0:
            continue
        if len(group) > most:
            skipped += len(group)
            continue
        gram = (part.T @ part).toarray()
        values, vectors = np.linalg.eigh(gram)
        nothing = vectors[:, values < 1e-9 * max(values[-1], 1.0)]
        found.append(hidden[group[(nothing**2).sum(axis=1) < 1e-9]])
    return (np.concatenate(found) if found else np.array([], dtype=int)), skipped


def judged(system: System) -> np.ndarray:
    """Hidden cells with somebody in them: of these nothing may be told. (Nobody among few is hidden where it can be.)"""
    return system.is_hidden & (system.value >= 1) & ~system.is_money


def narrow(system: System, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Hidden cells for which fewer numbers are possible than a figure below the minimum leaves anyway (1 to minimum - 1)."""
    least, greatest = bounds(system, low, high)
    return judged(system) & (greatest - least < system.need - 2)
