"""What moving places of admission quota between disciplines would do by 2030: cohorts followed to their degrees.

A cohort is the students of a discipline and level who entered before the same census (09-30). Every student leaves before
some later census, with a degree or without, by the chances of the cohorts that have left entirely. `o` counts the offsets
in years since entry.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LAST_YEAR = 2030
LONGEST = {"1": 8, "2": 5}
"""Offset at which the last of a doctoral and a master's cohort are taken to have left [param]."""
ASSUMPTIONS = (
    "以后每年的入学人数等于最近一年（同学科、同层次），按泊松分布波动；移动的计划数按录取率折算为入学人数",
    "离校与获学位的时间按已全部离校的各届估计，同层次各学科相同，估计误差按狄利克雷分布计入",
    "学位计在离校当年；集群供给按学科对各重点集群的对应强度分摊，需求保持最近一年",
    "匹配度按人次计，不计基础、人文学科，对应强度阈值同 H02b",
    "移动的人和留下的人离校规律相同；不考虑导师、经费和生源的限制",
)


class QuotaError(ValueError):
    """A move that cannot be made; the message names discipline, level, year and what is possible."""


@dataclass(frozen=True)
class Move:
    """`places` a year, from a discipline and level to another, from `year` on."""

    from_discipline: str
    from_level: str
    to_discipline: str
    to_level: str
    places: int
    year: int


@dataclass(frozen=True)
class Pipeline:
    """What is known at the base census."""

    base_year: int
    stock: dict[tuple[str, str], Integers]
    """(discipline, level) -> students in study by offset, (o,)."""
    exits: dict[str, Floats]
    """Level -> numbers of past students by offset of leaving and degree or not, (o, 2): column 1 with a degree."""
    matched: dict[str, bool]
    """Discipline -> matched to a key cluster; excluded disciplines are not in it."""
    parts: dict[str, dict[str, float]]
    """Discipline -> key cluster -> part of its degrees."""
    demand: dict[str, float]
    """Key cluster -> posts of the newest year."""


@dataclass(frozen=True)
class Outcome:
    """A quantity of one year, medians and 5-95 % ranges; `difference` is of the paired draws."""

    measure_code: str
    item_code: str
    year: int
    baseline: float
    baseline_low: float
    baseline_high: float
    scenario: float
    scenario_low: float
    scenario_high: float
    difference: float
    difference_low: float
    difference_high: float


def check(pipeline: Pipeline, moves: Sequence[Move], fill: float) -> None:
    """Raises QuotaError for a move that the pipeline cannot make."""
    if not 0 < fill <= 1:
        raise QuotaError(f"录取率 {fill:g} 应在 0 与 1 之间（不含 0）")
    taken: dict[tuple[str, str], float] = {}
    for m in moves:
        for what, discipline, level in (
            ("移出", m.from_discipline, m.from_level),
            ("移入", m.to_discipline, m.to_level),
        ):
            if level not in LONGEST:
                raise QuotaError(f"{what}：层次 {level} 不是 1（博士）或 2（硕士）")
            if what == "移出" and (discipline, level) not in pipeline.stock:
                raise QuotaError(f"移出：学科 {discipline} 层次 {level} 没有在学研究生，无计划可移")
            if what == "移入" and not any(d == discipline for d, _ in pipeline.stock):
                raise QuotaError(f"移入：学科 {discipline} 在全市没有在学研究生；先有学位点才能招生")
        if m.places < 1:
            raise QuotaError(f"移动 {m.places} 个计划：应为正整数")
        if not pipeline.base_year < m.year <= LAST_YEAR:
            raise QuotaError(f"起始年 {m.year} 应在 {pipeline.base_year + 1} 与 {LAST_YEAR} 之间")
        key = m.from_discipline, m.from_level
        taken[key] = taken.get(key, 0) + m.places * fill
        if taken[key] > pipeline.stock[key][0]:
            raise QuotaError(
                f"学科 {m.from_discipline} 层次 {m.from_level} 最近一年入学 {pipeline.stock[key][0]} 人，"
                f"移不出 {taken[key]:g} 人；减少移动的计划数"
            )


def simulate(
    pipeline: Pipeline, moves: Sequence[Move], draws: int, seed: int, fill: float = 1.0
) -> list[Outcome]:
    """All quantities of every year to 2030, without and with the moves. Raises QuotaError.

    Both are of the same draws: students who would be moved are followed apart, so that a difference has only its own chance.
    """
    check(pipeline, moves, fill)
    rng = np.random.default_rng(seed)
    years = np.arange(pipeline.base_year + 1, LAST_YEAR + 1)
    leaving = {level: _chances(pipeline.exits[level], draws, rng) for level in sorted(LONGEST)}
    cells = {cell: i for i, cell in enumerate(sorted(pipeline.stock))}
    for m in moves:
        cells.setdefault((m.to_discipline, m.to_level), len(cells))
    projected = np.zeros((2, draws, len(cells), len(years)))
    for (discipline, level), stock in sorted(pipeline.stock.items()):
        i = cells[discipline, level]
        for offset in np.flatnonzero(stock):
            projected[:, :, i] += _followed(
                rng, leaving[level], np.full(draws, stock[offset]), int(offset), 0, len(years)
            )
        leaves = sum(
            m.places * fill for m in moves if (m.from_discipline, m.from_level) == (discipline, level)
        )
        for start in range(len(years)):
            entrants = rng.poisson(stock[0] - leaves, draws)
            projected[:, :, i] += _followed(rng, leaving[level], entrants, -1, start, len(years))
    baseline, scenario = projected.copy(), projected
    for m in moves:
        source, target = cells[m.from_discipline, m.from_level], cells[m.to_discipline, m.to_level]
        for start, year in enumerate(years):
            entrants = rng.poisson(m.places * fill, draws)
            usual = _followed(rng, leaving[m.from_level], entrants, -1, start, len(years))
            other = usual
            if m.to_level != m.from_level:
                other = _followed(rng, leaving[m.to_level], entrants, -1, start, len(years))
            baseline[:, :, source] += usual
            scenario[:, :, target if year >= m.year else source] += other if year >= m.year else usual
    without, after = _measures(pipeline, list(cells), baseline), _measures(pipeline, list(cells), scenario)
    return [
        _outcome(*name, int(year), without[name][:, t], after[name][:, t])
        for name in without
        for t, year in enumerate(years)
    ]


def _chances(exits: Floats, draws: int, rng: np.random.Generator) -> Floats:
    """(draws, o, 2): probabilities of leaving at an offset, without and with a degree; half a case added to each."""
    return rng.dirichlet((exits + 0.5).ravel(), draws).reshape(draws, *exits.shape)


def _followed(
    rng: np.random.Generator, chances: Floats, present: Integers, offset: int, start: int, years: int
) -> Floats:
    """(2, draws, years): how many of a cohort are in study at each census, and how many get a degree in each year.

    `offset` of the cohort at the base census, or -1 for one that enters before census `start` (0 is the first one).
    """
    ahead = chances[:, offset + 1 :]
    share = ahead / ahead.sum(axis=(1, 2), keepdims=True)
    left = rng.multinomial(present, share.reshape(len(share), -1)).reshape(share.shape)
    found = np.zeros((2, len(present), years))
    still = present.astype(float)
    for n in range(left.shape[1]):
        if start + n >= years:
            break
        still = still - left[:, n].sum(axis=1)
        found[0, :, start + n] = still
        found[1, :, start + n] = left[:, n, 1]
    return found


def _measures(
    pipeline: Pipeline, cells: list[tuple[str, str]], projected: Floats
) -> dict[tuple[str, str], Floats]:
    """(measure, item) -> (draws, years)."""
    kept, degrees = projected
    doctoral = np.array([level == "1" for _, level in cells])
    counted = np.array([d in pipeline.matched for d, _ in cells])
    matched = np.array([pipeline.matched.get(d, False) for d, _ in cells])
    total = kept.sum(axis=1)
    found = {
        ("in_study", "ALL"): total,
        ("doctoral_share", "ALL"): kept[:, doctoral].sum(axis=1) / np.maximum(total, 1),
        ("match", "ALL"): kept[:, matched].sum(axis=1) / np.maximum(kept[:, counted].sum(axis=1), 1),
    }
    clusters = sorted(pipeline.demand)
    parts = np.array([[pipeline.parts.get(d, {}).get(c, 0.0) for c in clusters] for d, _ in cells])
    supply = np.einsum("net,ec->nct", degrees, parts)
    whole_supply = np.maximum(supply.sum(axis=1, keepdims=True), 1e-9)
    wanted = np.array([pipeline.demand[c] for c in clusters])
    for c, cluster in enumerate(clusters):
        found["supply", cluster] = supply[:, c]
        found["gap", cluster] = supply[:, c] / whole_supply[:, 0] - wanted[c] / wanted.sum()
    return found


def _outcome(measure: str, item: str, year: int, before: Floats, after: Floats) -> Outcome:
    figures = []
    for values in (before, after, after - before):
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
        figures += [round(float(v), 6) + 0.0 for v in (middle, low, high)]
    return Outcome(measure, item, year, *figures)


def plain(moves: Sequence[Move]) -> list[dict[str, Any]]:
    """Moves as plain data."""
    return [asdict(m) for m in moves]
