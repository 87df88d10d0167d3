"""The four lists of the plan as the commission's departments report them: 41 items, and milestones with their progress."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import polars as pl

from yuyan import settings
from yuyan_demo.simulator.columns import stream

REPORTED_VERSION = "2026-draft"
"""The plan's version for which the departments report."""
YEAR = 2026
SILENT = ("P07", "X12", "P02")
"""Items whose lead departments report nothing: one past its deadline, one close to it, one that goes on."""
_LIST_KINDS = {"reform": "R", "policy": "Z", "project": "X", "platform": "P"}
_PERIODS = {"once": "ONCE", "yearly": "ANNUAL", "every_two_years": "BIENNIAL", "ongoing": "CONTINUOUS"}
_GRADUATE, _HIGHER, _SCIENCE, _STAFF = (
    "市教委研究生教育处",
    "市教委高等教育处",
    "市教委科技处",
    "市教委教师工作处",
)
_DEPARTMENTS = {
    **dict.fromkeys(("R1", "R2", "Z1", "Z3", "Z6"), (_GRADUATE, ("市发展改革委", "市经济信息委"))),
    **dict.fromkeys(("R5", "R6", "Z4", "X03", "X04", "X07"), (_HIGHER, (_GRADUATE,))),
    **dict.fromkeys(("R7", "Z2", "X02", "P05", "P10", "P11"), (_STAFF, (_GRADUATE, "市人力社保局"))),
    **dict.fromkeys(("Z7", "X08", "P01", "P02", "P04"), (_SCIENCE, ("市科技局",))),
    **dict.fromkeys(("Z8", "P08", "P03"), (_GRADUATE, ("市经济信息委", "有关区县政府"))),
    **dict.fromkeys(("X06", "X10"), ("市委教育工委宣传处", (_GRADUATE,))),
    **dict.fromkeys(("R3", "R4"), (_GRADUATE, ("市教育评估院",))),
    "R8": ("市教委财务处", (_GRADUATE, "市财政局")),
    "X11": (_HIGHER, ("市卫生健康委",)),
    "X12": (_SCIENCE, ("市社科联",)),
    "X13": (_SCIENCE, ()),
    "X14": (_GRADUATE, ("团市委", "市人力社保局")),
    "P09": ("市教委国际合作与交流处", ("市商务委",)),
}
"""Item -> lead and supporting departments (simulated); what is not named is led by the office for graduate education."""


def plan() -> list[dict[str, str]]:
    items = pl.read_csv(settings.SEEDS / "plan" / "action_item.csv", infer_schema_length=0)
    return list(items.filter(pl.col("doc_version") == REPORTED_VERSION).iter_rows(named=True))


def departments(item: str) -> tuple[str, tuple[str, ...]]:
    return _DEPARTMENTS.get(item, (_GRADUATE, ()))


def _month_end(year: int, month: int) -> date:
    return date(year, month, monthrange(year, month)[1])


def list_items() -> pl.DataFrame:
    """The 41 rows of the four lists, from the plan's annex, with the departments that answer for them."""
    rows = []
    for r in plan():
        due = str(_month_end(int(r["due_year"]), int(r["due_month"]))) if r["due_year"] else None
        lead, support = departments(r["item_code"])
        rows.append(
            ("50000", r["item_code"], REPORTED_VERSION, _LIST_KINDS[r["list"]], r["seq"], r["name_zh"],
             r["content_zh"], _PERIODS[r["recurrence"]], r["due_month"], due, r["quantity_min"], r["quantity_max"],
             r["quantity_unit"], lead, "、".join(support) or None)
        )  # fmt: skip
    names = (
        "src_inst_code", "list_item_id", "doc_version", "list_kind", "seq", "name", "task_text", "period_kind",
        "due_month", "due_on", "qty_min", "qty_max", "qty_unit", "lead_dept", "support_depts",
    )  # fmt: skip
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


STAGES = ("10", "20", "30", "40")
"""部署, 落实, 评估, 改进: one milestone each."""
WEIGHTS = dict(zip(STAGES, ("0.2000", "0.4000", "0.2000", "0.2000"), strict=True))
CLOSED = ("X01", "X08", "Z2")
"""Items whose loop went round once: done, evaluated, improved, and the improvement verified (planted)."""
STUCK_UNSEEN, STUCK_SEEN = "R2", "P04"
"""Items that stand still after deployment: nobody has reported for months of one, the other was looked at (planted)."""
UNPROVEN = "X05"
"""The item whose improvement is said to be done and was not verified (planted)."""
ROUND = (*CLOSED, UNPROVEN)
LATE = {"Z1": 19, "X07": 33, "X06": 8}
"""Items whose every step was done so many days after its due date (planted)."""
OPENERS = (("10", "H09"), ("20", "DC2026-07"), ("30", "TS2026-03"), ("40", None))
"""What opens an evaluation: an indicator, an inspection, a complaint, or the calendar."""
PLANTED = (
    *(("list_loop", "CLOSED", item, "闭环走完，改进已核实") for item in CLOSED),
    ("list_loop", "STUCK", STUCK_UNSEEN, "停在一个环节超过90天，无人过问"),
    ("list_loop", "STUCK-SEEN", STUCK_SEEN, "停在一个环节超过90天，近期有填报"),
    ("list_loop", "UNVERIFIED", UNPROVEN, "改进完成而未核实"),
    *(("list_progress", "LATE", item, "逾期完成") for item in LATE),
    *(("list_loop", "NOT-STARTED", item, "没有填报") for item in SILENT),
)
"""Cases that are there so that each state of the mart can be seen: mart, state, item, what is planted."""


def list_milestones(seed: int) -> pl.DataFrame:
    """The stages of this year's cycles and of the deadlines of the next: early, late, unfinished, waiting for verification.

    Lateness differs by department; every fifth step of a yearly item has been moved by a month. `SILENT` items have none.
    """
    rng = stream(seed, 63)
    slow = {d: int(rng.integers(-10, 25)) for d in sorted({departments(r["item_code"])[0] for r in plan()})}
    rows = [row for r in plan() if r["item_code"] not in SILENT for row in _steps(r, rng, slow)]
    names = (
        "src_inst_code", "milestone_id", "list_item_id", "doc_version", "stage_code", "cycle_label", "due_on", "weight",
        "done_on", "progress_pct", "evidence_uri", "reported_by", "reported_on", "verified_by", "verified_on",
        "opened_by_kind", "opened_by_id", "improvement_verified_on",
    )  # fmt: skip
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


def _steps(r: dict[str, str], rng: np.random.Generator, slow: dict[str, int]) -> Iterator[tuple]:
    """The milestones of one item, a stage each, one after another. Dates are whole before the first day."""
    item, yesterday = r["item_code"], settings.FIRST_AS_OF - timedelta(days=1)
    lead, _ = departments(item)
    last = _month_end(int(r["due_year"] or YEAR), int(r["due_month"] or 12))
    gap = 150 if last.year > YEAR else 30
    before, going = date(2026, 1, 8), True
    for number, (stage, weight) in enumerate(WEIGHTS.items(), 1):
        due = last - timedelta(days=gap * (len(STAGES) - number))
        finished = due + timedelta(days=slow[lead] + int(rng.integers(-30, 30)))
        if item in ROUND:
            finished = min(finished, due)
        elif item in LATE:
            finished = due + timedelta(days=LATE[item])
        elif item in (STUCK_UNSEEN, STUCK_SEEN):
            finished = date(2026, 2, 20) if stage == "10" else yesterday + timedelta(days=30 * number)
        finished = max(finished, before + timedelta(days=5))
        if not r["due_year"] and rng.random() < 0.2 and item not in LATE:
            due = min(due + timedelta(days=30), date(YEAR, 12, 31))
        draws = rng.random(2), int(rng.integers(3, 40)), int(rng.integers(5, 80)), int(rng.integers(0, 20))
        (is_kept, is_proven), check, part, ago = draws
        going = done = going and finished <= yesterday and (is_kept < 0.95 or item in (*ROUND, *LATE))
        before = finished
        verified = (
            min(finished + timedelta(days=check), yesterday)
            if item in CLOSED
            else finished + timedelta(days=check)
        )
        is_verified = done and verified <= yesterday and not (item == UNPROVEN and stage == "40")
        is_improved = is_verified and stage == "40" and (is_proven < 0.8 or item in CLOSED)
        opener = OPENERS[int(rng.integers(len(OPENERS)))] if stage == "30" else (None, None)
        progress = 100 if done else part if due <= yesterday + timedelta(days=120) else 5
        reported = finished + timedelta(days=2) if done else yesterday - timedelta(days=ago)
        if item == STUCK_UNSEEN and not done:
            progress, reported = 5, date(2026, 4, 30)
        identity = f"50000-M{last.year}-{item}-{number}"
        yield (
            "50000", identity, item, REPORTED_VERSION, stage, f"{last.year}年", str(due), weight,
            str(finished) if done else None, f"{progress}.00",
            f"https://jw.example.cn/zj/{identity}" if done else None, lead, str(min(reported, yesterday)),
            "市教委督查室" if is_verified else None, str(verified) if is_verified else None,
            opener[0] if done else None, opener[1] if done else None, str(verified) if is_improved else None,
        )  # fmt: skip
