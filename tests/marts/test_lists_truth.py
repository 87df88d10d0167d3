"""The four lists: every cycle of the plan's annex and what it is worth, counted here from annex and accepted records."""

import calendar
import csv
from collections import Counter, defaultdict
from datetime import date

import polars as pl
import pytest

from yuyan import settings
from yuyan_demo.simulator import list_work, listed, lists
from yuyan_demo.simulator.measures_supervision import pool_entries

pytestmark = pytest.mark.database

DRAFT = "2026-draft"
YEARS = range(2026, 2031)
DATES = {
    "deadline": ("2026-05 Z2 · 2026-06 P04 P07 · 2026-07 Z1 · 2026-10 R3 P05 P06 P08 · 2026-12 R4 R7 Z4 Z5 P09 P10 P11 · "
                 "2027-06 Z6 Z7 Z8 · 2027-12 R1 R2 R5 R6"),
    "yearly": "04 X01 X05 · 06 X08 · 07 X06 X07 · 10 X02 X03 X04 X10 X11 X12 X13 X14 · 12 X09 Z3",
    "continuous": "R8 P01 P02 P03",
}  # fmt: skip
"""The annex's calendar as it is read aloud: what the marts make of action_item.csv is checked against it."""


def _month_end(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def annex() -> dict[tuple[str, int], date]:
    """(item, year) -> due date of every cycle with a deadline."""
    due = {}
    for part in DATES["deadline"].split(" · "):
        month, *items = part.split()
        year, number = (int(n) for n in month.split("-"))
        due |= {(item, year): _month_end(year, number) for item in items}
    for part in DATES["yearly"].split(" · "):
        month, *items = part.split()
        due |= {(item, year): _month_end(year, int(month)) for item in items for year in YEARS}
    return due | {(item, y): date(y, 12, 31) for item in DATES["continuous"].split() for y in YEARS}


QUANTITIES_ONLY = {("P10", 2028): date(2028, 12, 31), ("X06", 2031): date(2031, 7, 31)}
"""Windows that close in a year for which the annex names no date of the item."""


def test_every_item_of_the_annex_has_every_cycle_whatever_is_reported(marts):
    rows = marts.execute("select list_item_code, cycle_code::int, due_on from marts.list_progress").fetchall()
    due = annex()
    assert len({item for item, _ in due}) == 41
    assert {(item, year): day for item, year, day in rows} == due | QUANTITIES_ONLY
    assert len(rows) == len(due) + 2


def _judge(item: str, due: date, steps: list[dict], as_of: date) -> tuple[str, str | None, int]:
    """Status, reason and days late of one cycle from its milestones: rule 0.8, written once more."""
    done = [s for s in steps if s["done_on"] is not None and s["done_on"] <= as_of]
    verified = [s for s in done if s["evidence_uri"] and s["verified_on"] and s["verified_on"] <= as_of]
    goes_on = item in DATES["continuous"].split()
    enough = bool(done) if goes_on else bool(steps) and len(done) == len(steps)
    proven = bool(verified) if goes_on else bool(steps) and len(verified) == len(steps)
    last = max((s["done_on"] for s in done), default=as_of)
    late = max(((last if enough else as_of) - due).days, 0)
    if proven:
        return "GREEN", None, late
    if enough:
        return ("AMBER" if (as_of - last).days > 30 else "GREY"), "UNVERIFIED-DONE", late
    if goes_on:
        return ("AMBER", "NO-ACTIVITY", late) if as_of >= due else ("GREY", "NOT-DUE", 0)
    if as_of > due:
        return "RED", None if steps else "NO-REPORT", late
    weight = sum(float(s["weight"]) for s in steps)
    progress = sum(float(s["weight"]) * float(s["progress_pct"] or 0) for s in steps) / weight if steps else 0
    return ("AMBER", None, 0) if (due - as_of).days <= 60 and progress < 80 else ("GREY", "NOT-DUE", 0)


def test_deadlines_follow_the_plan_and_the_evidence(marts, facts):
    steps = defaultdict(list)
    for row in facts["list_milestone"].filter(pl.col("doc_version") == DRAFT).iter_rows(named=True):
        year = row["cycle_label"][:4]
        steps[row["list_item_id"], int(year)].append(row)
    once = {item for part in DATES["deadline"].split(" · ") for item in part.split()[1:]}
    theirs = {}
    for (item, year), due in annex().items():
        own = [s for (i, y), rows in steps.items() if i == item and (y == year or item in once) for s in rows]
        theirs[item, year] = _judge(item, due, own, facts.as_of)
    rows = marts.execute(
        "select list_item_code, cycle_code::int, deadline_status_code, deadline_reason_code, days_late "
        "from marts.list_progress where coalesce(deadline_reason_code, '') <> 'NO-DEADLINE'"
    ).fetchall()
    assert {(item, year): tuple(rest) for item, year, *rest in rows} == theirs
    found = Counter(status for status, *_ in theirs.values())
    assert set(found) == {"GREEN", "AMBER", "RED", "GREY"}


def test_silence_past_the_due_date_is_red_and_days_late_are_published(marts, facts):
    rows = dict(
        marts.execute(
            "select list_item_code, (deadline_status_code, deadline_reason_code, days_late)::text "
            "from marts.list_progress where cycle_code = '2026' and milestone_count = 0"
        ).fetchall()
    )
    overdue = (facts.as_of - date(2026, 6, 30)).days
    assert rows["P07"] == f"(RED,NO-REPORT,{overdue})"
    assert rows["X12"].startswith("(AMBER,")  # due within 60 days, nothing reported
    assert rows["P02"].startswith("(GREY,NOT-DUE")  # goes on: judged at the year's end


BY_PROJECT = ("X01", "X02", "X03", "X04", "X05", "X06", "X07", "X08", "X10", "X11", "X12", "X13")
PLATFORMS = ("P04", "P05", "P06", "P07", "P08", "P09", "P11")
DOCUMENTS = {"Z1": 2026, "Z2": 2026, "Z4": 2026, "Z5": 2026, "Z6": 2027, "Z7": 2027, "Z8": 2027}
"""City documents, and the year in which each is due."""


def _quantities(facts) -> dict[tuple[str, int], float]:
    """What the records hold of everything that can be counted."""
    honours = facts["honour"].filter(
        (pl.col("honour_code") == "02")
        & (pl.col("level_code") == "23")
        & (pl.col("granted_on") <= facts.as_of)
    )
    per_year = Counter(d.year for d in honours["granted_on"])
    editions = facts["urgent_discipline_list"].filter(pl.col("published_on") <= facts.as_of)["edition_year"]
    listed = {int(y) for y in editions}
    projects = Counter(
        (item, int(year))
        for item, year in facts["list_project"].select("list_item_id", "cycle_year").iter_rows()
    )
    documents = facts["policy_document"].filter(pl.col("issued_on") >= date(2026, 1, 1))
    out = Counter(documents.filter(pl.col("kind_code") == "10")["list_item_id"])
    filed = {
        item: float(
            documents.filter((pl.col("kind_code") == kind) & (pl.col("list_item_id") == item))[
                "inst_code"
            ].n_unique()
        )
        for item, kind in (("R3", "20"), ("R7", "30"))
    }
    pilots = facts["list_project"].filter(
        (pl.col("list_item_id") == "R1") & (pl.col("close_result_code") == "10")
    )["category_code"]
    opened = facts["platform_base"].filter(
        (pl.col("opened_on") <= facts.as_of) & (pl.col("opened_on").dt.year() == 2026)
    )
    platforms = Counter(opened["kind_code"])
    hired = pool_entries(facts).filter(pl.col("hired_on").is_between(date(2026, 1, 1), facts.as_of))
    known = facts["list_project"].select("list_project_id", "list_item_id", "cycle_year")
    made = Counter()
    for entity, item, which in (
        ("team", "X02", pl.lit(True)),
        ("teaching_resource", "X05", pl.col("kind_code") == "20"),
    ):
        rows = facts[entity].filter(which).join(known, on="list_project_id")
        years = rows.filter(pl.col("list_item_id") == item)["cycle_year"]
        made.update((item, int(year)) for year in years)
    supported = facts["party_branch"].filter(pl.col("established_on") <= facts.as_of)["supported_cycle"]
    made.update(("X10", int(year)) for year in supported.drop_nulls())
    city = facts["competition_entry"].filter(pl.col("competition_code") == "10")
    made.update({("X14", int(year)): 1 for year in city["competition_year"].unique()})
    return (
        {("X09", y): float(per_year.get(y, 0)) for y in YEARS}
        | {(item, y): float(made[item, y]) for item in ("X02", "X05", "X10", "X14") for y in YEARS}
        | {("Z3", y): float(y in listed) for y in YEARS}
        | {(item, 2026): float(platforms[item]) for item in PLATFORMS}
        | {("P10", 2028): float(hired["person"].n_unique())}
        | {("R5", 2027): _renewed(facts, date(2025, 1, 1))}
        | {("R1", 2027): float(pilots.n_unique())}
        | {(item, 2026): count for item, count in filed.items()}
        | {(item, y): float(out[item]) for item, y in DOCUMENTS.items()}
        | {
            (item, y): float(projects[item, y])
            for item in BY_PROJECT
            if item not in ("X02", "X05", "X06", "X10")
            for y in YEARS
        }
        | {("X06", y): float(projects["X06", y - 1] + projects["X06", y]) for y in (2027, 2029, 2031)}
    )


def _renewed(facts, since: date) -> float:
    """Percentage of core courses renewed and taught since a day."""
    core = facts["course"].filter((pl.col("is_core") == "true") | pl.col("core_to").is_not_null())
    held = defaultdict(list)
    for course, year, term, taught in (
        facts["course_offering"].select("course_id", "academic_year", "term_code", "revision_id").iter_rows()
    ):
        held[course].append((f"{year}-{term}", taught))
    starts = {"1": (0, 9), "2": (5, 2), "3": (5, 7)}
    now = facts.as_of.year if facts.as_of.month >= 9 else facts.as_of.year - 1
    renewed = set()
    for course, revision, kind, share, term in (
        facts["course_revision"]
        .select("course_id", "revision_id", "revision_kind", "changed_content_ratio", "effective_term")
        .iter_rows()
    ):
        whole = kind in ("1", "4") and share is None
        if not whole and not (kind in ("1", "2", "4", "5") and float(share) >= 0.3):
            continue
        place, month = starts[term[10]]
        if not since <= date(int(term[place : place + 4]), month, 1) <= facts.as_of:
            continue
        if kind == "4" or any(
            (taught == revision or term <= t) and int(t[:4]) <= now for t, taught in held[course]
        ):
            renewed.add(course)
    courses = {
        course
        for course, start, end in core.select(
            "course_id", "core_from", pl.coalesce("core_to", "active_to")
        ).iter_rows()
        if start <= facts.as_of and (end is None or end >= since)
    }
    return 100 * len(courses & renewed) / len(courses)


def test_quantities_are_counted_in_their_windows(marts, facts):
    rows = marts.execute(
        "select list_item_code, cycle_code::int, quantity_count from marts.list_progress where quantity_count is not null"
    ).fetchall()
    ours = {(item, year): count for item, year, count in rows}
    theirs = _quantities(facts)
    assert set(ours) == set(theirs)
    assert [ours[k] for k in theirs] == pytest.approx(list(theirs.values()))
    assert 0 < ours["R5", 2027] < 100


def test_quantities_of_institutions_add_up_and_show_how_projects_went(marts, facts):
    projects = facts["list_project"].filter(
        pl.col("list_item_id").is_in(BY_PROJECT) & (pl.col("cycle_year") == 2026)
    )
    theirs = Counter(projects.select("list_item_id", "inst_code").iter_rows())
    together = Counter(
        projects.filter("is_school_enterprise").select("list_item_id", "inst_code").iter_rows()
    )
    closing = facts["list_project"].filter(
        pl.col("list_item_id").is_in(BY_PROJECT)
        & (pl.col("due_close_on").dt.year() == 2026)
        & (pl.col("due_close_on") < facts.as_of)
    )
    due = Counter(closing.select("list_item_id", "inst_code").iter_rows())
    on_time = closing.filter(pl.col("closed_on") <= pl.col("due_close_on"))
    kept = Counter(on_time.select("list_item_id", "inst_code").iter_rows())
    columns = "list_item_code, inst_code, project_count, school_enterprise_count, closing_count, closed_on_time_count"
    rows = marts.execute(
        f"select {columns} from marts.list_quantity "
        "where cycle_code = '2026' and list_item_code like 'X%%' and list_item_code <> 'X09'"
    ).fetchall()
    found = {(item, inst): tuple(counts) for item, inst, *counts in rows}
    units = {*theirs, *due} - {u for u in {*theirs, *due} if u[0] == "X06"}
    assert {u: found[u] for u in units} == {u: (theirs[u], together[u], due[u], kept[u]) for u in units}
    assert sum(due.values()) > sum(kept.values()) > 0
    assert {(0, 0, 0, 0)} >= {v for u, v in found.items() if u not in units and u[0] != "X06"}
    # what institutions were given adds up to what the plan wants of the item
    given = marts.execute(
        "select q.list_item_code, sum(q.plan_target_quantity), min(p.plan_quantity_min) from marts.list_quantity q "
        "join marts.list_progress p using (list_item_code, doc_version, cycle_code) "
        "where q.plan_target_quantity is not null group by 1"
    ).fetchall()
    assert {item for item, *_ in given} == {"X01", "X02", "X05", "X06", "X08", "X10"}
    assert [(item, total) for item, total, _ in given] == [
        (item, pytest.approx(least)) for item, _, least in given
    ]


def _loop(steps: list[dict], as_of: date, begins: date) -> tuple[str, str | None, int | None]:
    """State, stage and its age of one cycle from its milestones, one after another."""
    if not steps:
        return "NOT-STARTED", None, None
    entered, reached = begins, None
    for stage in ("10", "20", "30", "40"):
        own = [s for s in steps if s["stage_code"] == stage]
        if not own:
            continue
        reached, since = stage, entered
        if not all(s["done_on"] and s["done_on"] <= as_of for s in own):
            break
        entered = max(s["done_on"] for s in own)
    else:
        proven = any(s["improvement_verified_on"] for s in steps)
        if reached == "40":
            return ("CLOSED" if proven else "UNVERIFIED"), reached, (as_of - since).days
    age = (as_of - since).days
    return ("STUCK" if age > 90 else "MOVING"), reached, age


def test_loops_stand_where_their_milestones_say(marts, facts):
    steps = defaultdict(list)
    for row in facts["list_milestone"].filter(pl.col("doc_version") == DRAFT).iter_rows(named=True):
        steps[row["list_item_id"], int(row["cycle_label"][:4])].append(row)
    columns = "list_item_code, cycle_code::int, loop_state_code, stage_code, stage_age_days"
    rows = marts.execute(f"select {columns} from marts.list_loop").fetchall()
    ours = {(item, year): tuple(rest) for item, year, *rest in rows}
    theirs = {unit: _loop(steps[unit], facts.as_of, date(2026, 1, 1)) for unit in ours}
    assert ours == theirs
    assert {item for item, _ in ours} == {item for item, _ in annex()}
    assert {state for state, *_ in ours.values()} == {
        "NOT-STARTED",
        "MOVING",
        "STUCK",
        "UNVERIFIED",
        "CLOSED",
    }


DIRECT = ("list_category", "list_document", "list_measure")


def test_every_planted_case_of_the_lists_is_seen(marts):
    """The simulator's books say which states were planted where."""
    seen = {
        "list_loop": "select list_item_code, loop_state_code from marts.list_loop",
        "STUCK-SEEN": "select list_item_code, 'STUCK-SEEN' from marts.list_loop where is_stuck and not is_stuck_unseen",
        "list_quantity": "select list_item_code, quantity_state_code from marts.list_progress where cycle_code = '2026'",
        "list_category": "select list_item_code, category_state_code from marts.list_category",
        "list_document": "select list_item_code, document_state_code from marts.list_document",
        "list_measure": "select list_item_code, measure_state_code from marts.list_measure where unit_code = '500000'",
        "LATE": "select list_item_code, 'LATE' from marts.list_progress where done_on is not null and days_late > 0",
        "PARTIAL": "select list_item_code, 'PARTIAL' from marts.list_progress where quantity_count between 1 and 6",
        "UNFUNDED": "select list_item_code, 'UNFUNDED' from marts.list_item_status where unfunded_project_count > 0",
        "KIND-MISSING": "select list_item_id, 'KIND-MISSING' from star.fct_list_project where list_item_id like 'X07' "
        "group by list_item_id having count(distinct category_code) < 4",
    }
    for mart, state, item, _ in (*lists.PLANTED, *list_work.PLANTED, *listed.PLANTED):
        found = {
            tuple(row)
            for row in marts.execute(
                seen.get(mart, seen.get(state)) if mart in DIRECT else seen.get(state, seen.get(mart))
            ).fetchall()
        }
        assert (item, state) in found, (mart, state, item)
    unseen = marts.execute("select list_item_code from marts.list_loop where is_stuck_unseen").fetchall()
    assert (lists.STUCK_UNSEEN,) in unseen


def test_only_a_range_of_the_plan_has_a_maximum():
    with open(settings.SEEDS / "plan" / "action_item.csv", encoding="utf-8", newline="") as file:
        most = {r["item_code"]: r["quantity_max"] for r in csv.DictReader(file) if r["quantity_max"]}
    assert most == {"X01": "500", "X02": "150", "X08": "1500", "X10": "30"}


def test_an_item_has_one_state_and_no_due_day_has_two(marts):
    items = marts.execute(
        "select count(*), count(distinct list_item_code) from marts.list_item_status"
    ).fetchone()
    assert items == (41, 41)
    twice = marts.execute(
        "select list_item_code, due_on from marts.list_progress group by 1, 2 having count(*) > 1"
    ).fetchall()
    assert twice == []
    # the item is as bad as its worst open deadline, and names the cycle that decided
    wrong = marts.execute(
        "select s.list_item_code from marts.list_item_status s join marts.list_progress p "
        "on p.list_item_code = s.list_item_code and p.cycle_code = s.deadline_cycle_code "
        "where s.deadline_status_code <> p.deadline_status_code or (s.deadline_status_code <> 'RED' and exists ("
        "select 1 from marts.list_progress q where q.list_item_code = s.list_item_code and q.deadline_status_code = 'RED'))"
    ).fetchall()
    assert wrong == []


def test_departments_differ_and_milestones_move(marts, facts):
    leads = marts.execute(
        "select count(distinct lead_dept), count(distinct support_depts) from marts.list_item_status"
    )
    lead, support = leads.fetchone()
    assert lead >= 6
    assert support >= 6
    late = marts.execute(
        "select count(distinct days_late) from marts.list_progress where done_on is not null"
    )
    assert late.fetchone()[0] >= 3
    moved = facts["list_milestone"].filter(
        (pl.col("due_on").dt.day() != pl.col("due_on").dt.month_end().dt.day())
        & pl.col("milestone_id").str.ends_with("-2")
        & pl.col("list_item_id").str.starts_with("X")
    )
    assert len(moved) > 0
