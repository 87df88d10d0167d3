"""How degree points come about: what institutions plan and what they apply for, one review cycle after another.

Every grant since 2018 has its application; others were refused, withdrawn, or wait. Most applications rest on a plan of
the cycle before; some were planned only in the cycle of the application, or not at all.
"""

from datetime import date, timedelta

import polars as pl

from yuyan_demo.simulator.catalogue import seed_table
from yuyan_demo.simulator.columns import stream

Frames = dict[str, pl.DataFrame]
CYCLES = ("2015-2017", "2018-2020", "2021-2023", "2024-2026")
APPLIED = {"2018-2020": date(2018, 3, 1), "2021-2023": date(2021, 3, 1), "2024-2026": date(2025, 2, 10)}
"""Cycle -> when applications without a grant are handed in; of the last cycle some wait for their decision."""
WANTED = 3
"""Applications of an institution and cycle that were not granted, at most."""
IDEAS = 4
"""Plans of an institution and cycle that nobody has applied for yet."""
NOT_PLANNED, PLANNED_LATE = 0.12, 0.08
"""Shares of applications without a plan, and with one of the same cycle."""
LISTED = date(2024, 12, 20)
"""When the guidance list was published on which later plans are based."""


What = tuple[str, str, str]
"""Discipline, level and type of a degree point."""


def frames(seed: int, made: Frames) -> Frames:
    """construction_plan and degree_point_application."""
    files = _Files(seed, made)
    points = made["degree_point"].filter(pl.col("degree_level") != "3").sort("degree_point_id")
    files.granted(points, made["degree_point_event"])
    have: dict[str, set[tuple[str, str]]] = {}
    for inst, level, discipline in points.select("inst_code", "degree_level", "discipline_code").rows():
        have.setdefault(inst, set()).add((level, discipline))
    for inst in sorted(have):
        files.wanted(inst, [what for what in _possible(have[inst]) if (what[1], what[0]) not in have[inst]])
    return {
        "construction_plan": _frame(PLAN, files.plans),
        "degree_point_application": _frame(APPLICATION, files.applications),
    }


def _possible(have: set[tuple[str, str]]) -> list[What]:
    """What an institution may apply for: masters, and doctors where it has doctoral points and the catalogue allows it."""
    doctoral = any(level == "1" for level, _ in have)
    catalogue = seed_table("discipline").filter(
        pl.col("level").is_in(["first_level", "professional"]) & pl.col("degree_type").is_not_null()
    )
    return [
        (code, level, "1" if kind == "academic" else "2")
        for code, kind, levels in catalogue.select("code", "degree_type", "allowed_levels").rows()
        for level in ("2", "1")
        if level == "2" or (doctoral and "doctor" in levels)
    ]


class _Files:
    """What is filed: each application draws whether its plan was filed a cycle before, in its own cycle, or never."""

    def __init__(self, seed: int, made: Frames) -> None:
        self._rng = stream(seed, 66)
        lists = made["urgent_discipline_list"].filter(
            (pl.col("edition_year") == "2024") & (pl.col("category_code") == "10")
        )
        self._listed = {
            (discipline, level): number
            for number, discipline, level in lists.select("list_id", "discipline_code", "degree_level").rows()
        }
        self.plans: list[tuple[str | None, ...]] = []
        self.applications: list[tuple[str | None, ...]] = []

    def granted(self, points: pl.DataFrame, events: pl.DataFrame) -> None:
        """The applications behind the grants since 2018."""
        kinds = points.select(
            "degree_point_id", "inst_code", "discipline_code", "degree_level", "degree_type"
        )
        known = {point: row for point, *row in kinds.rows()}
        grants = events.filter(
            pl.col("event_type").is_in(["11", "12", "13"]) & (pl.col("event_on") >= "2018-01-01")
        ).sort("event_on", "degree_point_id")
        for point, route, day in grants.select("degree_point_id", "event_type", "event_on").rows():
            inst, *what = known[point]
            decided = date.fromisoformat(day)
            cycle = next(c for c in CYCLES if c[:4] <= day[:4] <= c[5:])
            on = max(decided - timedelta(240), date(int(cycle[:4]) - 1, 6, 1))
            self._apply(inst, tuple(what), route, on, cycle, (str(decided), "10", point))

    def wanted(self, inst: str, free: list[What]) -> None:
        """Applications that were not granted, and plans without one."""
        drawn = iter(self._rng.choice(len(free), len(APPLIED) * (WANTED + IDEAS), replace=False))
        for cycle, first in APPLIED.items():
            chosen = [free[int(next(drawn))] for _ in range(WANTED + IDEAS)]
            for nth, what in enumerate(chosen[: int(self._rng.integers(1, WANTED + 1))]):
                on = first + timedelta(int(self._rng.integers(0, 120)))
                result = "30" if self._rng.random() < 0.15 else "20"
                if cycle == CYCLES[-1] and nth == 0:
                    self._apply(inst, what, "11", on + timedelta(420), cycle, (None, None, None))
                else:
                    self._apply(inst, what, "11", on, cycle, (str(on + timedelta(200)), result, None))
            for nth, what in enumerate(chosen[WANTED:]):
                self._plan(inst, cycle, what, "20" if nth % 2 else "10")

    def _apply(
        self,
        inst: str,
        what: What,
        route: str,
        on: date,
        cycle: str,
        decision: tuple[str | None, str | None, str | None],
    ) -> None:
        draw, plan = self._rng.random(), None
        if draw >= NOT_PLANNED:
            late = draw < NOT_PLANNED + PLANNED_LATE
            plan = self._plan(inst, cycle if late else CYCLES[CYCLES.index(cycle) - 1], what, "30")
        number = f"50000-SB-{len(self.applications) + 1:05d}"
        self.applications.append(("50000", number, inst, cycle, *what, route, plan, str(on), *decision))

    def _plan(self, inst: str, cycle: str, what: What, stage: str) -> str:
        number = f"{inst}-GH-{len(self.plans) + 1:05d}"
        year = int(cycle[:4]) + (-1 if stage == "30" else 1)
        filed = date(year, 4, 10) + timedelta(int(self._rng.integers(0, 200)))
        listed = self._listed.get(what[:2]) if filed > LISTED else None
        doc = f"模拟规划〔{filed.year}〕{len(self.plans) + 1}号"
        self.plans.append((inst, number, inst, cycle, *what, stage, str(filed), doc, listed))
        return number


PLAN = (
    "src_inst_code", "plan_item_id", "inst_code", "cycle_label", "discipline_code", "degree_level", "degree_type",
    "stage_code", "filed_on", "doc_no", "urgent_list_id",
)  # fmt: skip
APPLICATION = (
    "src_inst_code", "application_id", "inst_code", "cycle_label", "discipline_code", "degree_level", "degree_type",
    "route_code", "plan_item_id", "applied_on", "decided_on", "result_code", "degree_point_id",
)  # fmt: skip


def _frame(names: tuple[str, ...], rows: list[tuple[str | None, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
