"""How degree points are evaluated and held to account: evaluation results, cases, and what happened in each.

Evaluations follow the rounds of every six years; orders to rectify are those of the degree-point events. Cases come
from them, from weak points (`weak_points.PLANTED`), and a few from elsewhere, so that every action is to be seen.
"""

import hashlib
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from yuyan_demo.simulator.columns import stream

Frames = dict[str, pl.DataFrame]
ROUNDS = {"2014-2019": (2014, 2018, date(2018, 11, 5)), "2020-2025": (2020, 2024, date(2024, 11, 4))}
"""Round -> points authorised before this year are in it, the year and first day of the self-evaluations."""
CUT_POINT = "10618-2-2-0855"
"""The degree point whose plan of 2026 is cut by decision of 2025, where its plan is smaller than the year before."""


@dataclass(frozen=True)
class Step:
    """An event of a case, so many days after the trigger; a decision says its action, a recheck its result."""

    kind: str
    days: int
    action: str | None = None
    result: str | None = None
    term: int | None = None


@dataclass
class Matter:
    """One case: its target, what set it off, and its steps."""

    kind: str
    target: str
    trigger: str
    ref: str | None
    on: date
    steps: list[Step]
    cut: int | None = None


WARNED = (Step("10", 12), Step("20", 40, "10", term=30), Step("30", 62))


def _rectified(*more: Step, start: int = 0, term: int = 730) -> list[Step]:
    """A notice, a warning, a statement, an order to rectify, and more."""
    begun = [Step(s.kind, s.days + start, s.action, s.result, s.term) for s in WARNED]
    return [*begun, Step("40", 80 + start, "20", term=term), *more]


def frames(seed: int, made: Frames) -> Frames:
    """evaluation_result, accountability_case and accountability_event."""
    evaluations = _evaluations(seed, made)
    cases, events = _records(_matters(made, evaluations))
    return {
        "evaluation_result": evaluations,
        "accountability_case": cases,
        "accountability_event": events,
    }


def _evaluations(seed: int, made: Frames) -> pl.DataFrame:
    rng = stream(seed, 65)
    points = made["degree_point"].filter(pl.col("degree_level") != "3").sort("degree_point_id")
    events = made["degree_point_event"]
    rows: list[tuple[str, str, str, str, date, date | None]] = []
    for label, (since, year, first) in ROUNDS.items():
        gone = set(
            events.filter(pl.col("event_type").is_in(["21", "22"]) & (pl.col("event_on") < str(first)))[
                "degree_point_id"
            ]
        )
        for point, authorised in points.select("degree_point_id", "authorised_on").rows():
            if authorised >= f"{since}-01-01" or point in gone:
                continue
            rows.append((point, "10", label, "10", first + timedelta(int(rng.integers(0, 50))), None))
            if rng.random() < 0.2:
                on = date(year + 1, 6, 10) + timedelta(int(rng.integers(0, 20)))
                rows.append((point, "20", label, "10", on, None))
    begun: dict[str, list[date]] = {}
    for point, kind, day in (
        events.sort("event_on").select("degree_point_id", "event_type", "event_on").rows()
    ):
        on = date.fromisoformat(day)
        if kind == "31":
            begun.setdefault(point, []).append(on)
            rows.append((point, "30", str(on.year), "20", on, on + timedelta(730)))
        elif kind in ("32", "33") and point in begun:
            rows.append((point, "40", str(on.year), "10" if kind == "32" else "30", on, None))
    for n, point in enumerate(
        p for p in points["degree_point_id"] if p[6:12] in ("2-2-08",) and p[:5] in ("10611", "10617")
    ):
        rows.append((point, "50", "2025", "30" if n == 2 else "10", date(2025, 11, 3) + timedelta(n), None))
    frame = pl.DataFrame(
        [(*(str(v) if isinstance(v, date) else v for v in row),) for row in rows],
        schema=dict.fromkeys(
            ("degree_point_id", "eval_kind", "eval_round", "result_code", "decided_on", "due_on"), pl.String
        ),
        orient="row",
    )
    return frame.with_row_index("i", 1).select(
        pl.lit("50000").alias("src_inst_code"),
        pl.format("50000-PG-{}", pl.col("i").cast(pl.String).str.zfill(5)).alias("eval_id"),
        pl.exclude("i"),
        pl.format("模拟评估〔{}〕{}号", pl.col("decided_on").str.slice(0, 4), "i").alias("doc_no"),
    )


def _matters(made: Frames, evaluations: pl.DataFrame) -> list[Matter]:
    return [*_after_evaluations(made, evaluations), *_after_sampling(made), _quota_cut(made), *_others(made)]


def _after_evaluations(made: Frames, evaluations: pl.DataFrame) -> list[Matter]:
    """One for every order to rectify: released, revoked, admission suspended, or open, as the degree-point events say."""
    by_point: dict[str, list[tuple[str, date]]] = {}
    for point, kind, day in (
        made["degree_point_event"].select("degree_point_id", "event_type", "event_on").rows()
    ):
        by_point.setdefault(point, []).append((kind, date.fromisoformat(day)))
    found = []
    ordered = evaluations.filter((pl.col("result_code") == "20") & (pl.col("eval_kind") == "30"))
    for n, (eval_id, point, day) in enumerate(
        ordered.select("eval_id", "degree_point_id", "decided_on").rows()
    ):
        on = date.fromisoformat(day)
        later = {kind: (at - on).days for kind, at in by_point[point] if at > on}
        steps, start = [], 15 * (n % 5)
        if "32" in later:
            end = later["32"]
            steps = [Step("50", end - 60), Step("60", end - 15, result="10"), Step("80", end, "90")]
        elif "33" in later:
            steps = [
                Step("50", later["33"] - 60),
                Step("60", later["33"], result="20"),
                Step("70", later["21"], "70"),
            ]
        elif "41" in later:
            steps = [Step("60", later["41"] - 5, result="20"), Step("70", later["41"], "60")]
        term = later.get("32", later.get("33", later.get("41", 730))) - 80 - start - (20 if later else 0)
        found.append(Matter("DP", point, "EVAL", eval_id, on, _rectified(*steps, start=start, term=term)))
    return found


WEAK = {
    "10631-2-1-1001": (2025, _rectified()),
    "10611-2-1-0808": (2023, _rectified(term=700)),
    "10637-2-1-0701": (2025, [Step("10", 95), Step("20", 130, "10", term=30)]),
    "10655-2-1-1301": (
        2023,
        _rectified(Step("50", 690), Step("60", 740, result="10"), Step("80", 752, "90")),
    ),
}
"""Weak point -> the year of sampling that set the case off, and what was done: 10631 is to rectify, 10611 is past due,
10637 was warned late, 10655 was released. 10618-2-2-1256 has no case although its theses had
problems in two years running."""


def _problem_day(made: Frames, point: str, year: int) -> date | None:
    """When the last problem of a point's sampling year was decided; None without any."""
    found = made["thesis_sampling"].filter(
        (pl.col("degree_point_id") == point)
        & (pl.col("sampling_year") == str(year))
        & (pl.col("verdict_code") == "2")
    )
    return date.fromisoformat(found["verdict_on"].max()) if len(found) else None


def _after_sampling(made: Frames) -> list[Matter]:
    found = []
    for point, (year, steps) in WEAK.items():
        if on := _problem_day(made, point, year):
            found.append(Matter("DP", point, "W01", str(year), on, steps))
    return found


def plans(made: Frames, year: int) -> dict[str, int]:
    """Degree point -> its latest plan of a year."""
    key = ("degree_point_id", "plan_year", "study_mode", "special_plan_code")
    newest = (
        made["admission_plan"]
        .filter(pl.col("plan_year") == str(year))
        .with_columns(pl.col("revision_no").cast(pl.Int64))
    )
    newest = newest.sort("revision_no").unique(key, keep="last")
    sums = newest.group_by("degree_point_id").agg(pl.col("plan_quota").cast(pl.Int64).sum())
    return dict(sums.rows())


def _quota_cut(made: Frames) -> Matter:
    """A failed recheck of 2025 and a plan that was cut for 2026: by what the plan of the point in fact fell."""
    before, after = plans(made, 2025), plans(made, 2026)
    falls = {point: n - after[point] for point, n in before.items() if point in after}
    point = CUT_POINT if falls.get(CUT_POINT, 0) > 0 else max(sorted(falls), key=falls.__getitem__)
    on = _problem_day(made, point, 2024)
    trigger, ref = ("W01", "2024") if on else ("W02", None)
    on = on or date(2024, 10, 8)
    decided = (date(2025, 11, 10) - on).days
    steps = _rectified(
        Step("50", 330), Step("60", decided - 20, result="20"), Step("70", decided, "50"), term=255
    )
    return Matter("DP", point, trigger, ref, on, steps, cut=min(falls[point], 6))


def _others(made: Frames) -> list[Matter]:
    """Institutions and a supervisor; a warning by statistics that was withdrawn."""
    institutions = made["institution"]["inst_code"].sort()
    supervisors = (
        made["supervisor"].filter(pl.col("src_inst_code") == "10635").sort("supervisor_id")["supervisor_id"]
    )
    interview = [*WARNED, Step("70", 75, "30"), Step("80", 260, "90")]
    restricted = [*WARNED, Step("70", 90, "40")]
    suspended = [*WARNED, Step("70", 85, "41")]
    withdrawn = [Step("10", 5), Step("20", 20, "10", term=30), Step("30", 40), Step("90", 60)]
    return [
        Matter("INST", "10643", "W04", None, date(2024, 12, 2), interview),
        Matter("INST", "10655", "W04", None, date(2025, 3, 3), restricted),
        Matter("INST", institutions[-1], "W04", None, date(2024, 4, 8), suspended),
        Matter("SUP", supervisors[0], "MISC", None, date(2025, 5, 6), interview),
        Matter("DP", "10617-2-1-0810", "W02", None, date(2025, 10, 13), withdrawn),
    ]


ACTORS = {"10": "10", "30": "30", "50": "30", "60": "40"}
DECISIONS = ("20", "40", "70", "80", "90")


def _records(matters: list[Matter]) -> tuple[pl.DataFrame, pl.DataFrame]:
    cases, events = [], []
    for number, m in enumerate(matters, 1):
        case = f"50000-WZ-{number:04d}"
        snapshot = f"SIM-{m.on:%Y%m}-{number:03d}"
        first = current = None
        due = closed = recheck = None
        for place, s in enumerate(m.steps, 1):
            on = m.on + timedelta(s.days)
            term = str(on + timedelta(s.term)) if s.term else None
            doc = f"模拟问责〔{on.year}〕{number}-{place}号" if s.kind in DECISIONS else None
            if s.kind in ("20", "40", "70"):
                first = first or on
            if s.kind in ("20", "40", "70", "80"):
                current, due = (s.action, on, doc), term
            if s.kind in ("80", "90") or s.action == "70":
                closed, due = on, None
                recheck = "90" if s.kind == "90" else (recheck or "10")
            recheck = s.result or recheck
            digest = (
                hashlib.sha256(f"{case}-{place}".encode()).hexdigest() if s.kind in ("30", "50") else None
            )
            based = snapshot if s.kind in ("20", "40", "70") else None
            actor = ACTORS.get(s.kind, "20")
            events.append(
                (
                    "50000",
                    f"{case}-{place:02d}",
                    case,
                    s.kind,
                    str(on),
                    actor,
                    s.action,
                    s.result,
                    doc,
                    based,
                    term,
                    digest,
                )
            )
        action, action_on, doc = current
        if closed and recheck == "90":
            action, action_on, doc = "90", closed, f"模拟问责〔{closed.year}〕{number}-{len(m.steps)}号"
        elif action == "10":
            due = str(action_on + timedelta(270))
        statement = (
            f"https://jw.example.cn/wz/{case}/statement" if any(s.kind == "30" for s in m.steps) else None
        )
        cases.append(
            (
                "50000", case, m.kind, m.target, m.trigger, m.ref, str(m.on), snapshot, action, str(action_on), str(first),
                due, str(closed) if closed else None, recheck, str(m.cut) if m.cut else None, doc, statement,
            )
        )  # fmt: skip
    case_names = (
        "src_inst_code", "case_id", "target_kind", "target_id", "trigger_code", "trigger_ref", "triggered_on",
        "trigger_snapshot_id", "action_code", "action_on", "issued_on", "due_on", "closed_on", "recheck_result_code",
        "quota_cut", "doc_no", "statement_uri",
    )  # fmt: skip
    event_names = (
        "src_inst_code", "event_id", "case_id", "event_kind", "event_on", "actor_role", "action_code", "result_code",
        "doc_no", "snapshot_ref", "due_on", "text_digest",
    )  # fmt: skip
    return (
        pl.DataFrame(cases, schema=dict.fromkeys(case_names, pl.String), orient="row"),
        pl.DataFrame(events, schema=dict.fromkeys(event_names, pl.String), orient="row"),
    )
