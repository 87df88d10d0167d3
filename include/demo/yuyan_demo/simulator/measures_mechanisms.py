"""Truth of the mechanisms on degree points, demand, engineering degrees, study abroad and lists, from accepted records."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta

import polars as pl

from yuyan_demo.simulator import lists
from yuyan_demo.simulator.facts import Facts
from yuyan_demo.simulator.truth_table import COMMON, WHOLE, TruthTable, Values, academic_year, distinct, total

STANDS, FALLS = ("11", "12", "13", "32", "42"), ("21", "22", "31", "33", "41")
ENGINEERING = tuple(f"08{n}" for n in range(54, 62))
PLAN_START = date(2026, 1, 1)
PATIENCE = 90
"""Days after which a stage is stuck."""


def enter(table: TruthTable, facts: Facts) -> None:
    """Enter every variant and period."""
    _points(table, facts)
    _students(table, facts)
    _demand(table, facts)
    _response(table, facts)
    _degrees(table, facts)
    _abroad(table, facts)
    _lists(table, facts)


def _year_ends(facts: Facts, first: int) -> Iterator[tuple[int, date]]:
    for year in facts.years(first, 1, 1):
        yield year, min(date(year, 12, 31), facts.as_of)


def _in_force(facts: Facts, day: date) -> pl.DataFrame:
    """Degree points that stand on a day: by their last event up to it, without one by their authorisation."""
    events = facts["degree_point_event"].filter(
        pl.col("event_type").is_in([*STANDS, *FALLS]) & (pl.col("event_on") <= day)
    )
    last = events.sort("event_on", "event_id").unique("degree_point_id", keep="last")
    points = facts["degree_point"].filter(pl.col("authorised_on") <= day)
    joined = points.join(last.select("degree_point_id", "event_type"), on="degree_point_id", how="left")
    stands = pl.col("event_type").is_null() | pl.col("event_type").is_in(STANDS)
    return joined.filter(stands).with_columns(pl.col("degree_point_id").str.slice(0, 5).alias("inst"))


def _points(table: TruthTable, facts: Facts) -> None:
    for year in facts.years(2016, 9, 30):
        now, period = _in_force(facts, date(year, 9, 30)), str(year)
        everything = total(now)
        table.add("M03.1", period, total(now, grains=(*COMMON, "level_type")))
        for variant, which in (
            ("M03.1-D", pl.col("degree_level") == "1"),
            ("M03.1-M", pl.col("degree_level") == "2"),
            ("M03.1-P", pl.col("degree_type") == "2"),
        ):
            table.add(variant, period, total(now.filter(which)), everything)
    known = facts["degree_point"].select("degree_point_id", "authorised_on")
    events = facts["degree_point_event"].join(known, on="degree_point_id").with_columns(
        pl.col("degree_point_id").str.slice(0, 5).alias("inst")
    )  # fmt: skip
    for year, end in _year_ends(facts, 2016):
        now, period = _in_force(facts, end), str(year)
        joint = now.filter((pl.col("degree_level") == "1") & pl.col("is_joint_built"))
        table.add("M03.3", period, total(joint))
        this_year = events.filter(
            (pl.col("event_on").dt.year() == year)
            & (pl.col("event_on") <= facts.as_of)
            & (pl.col("authorised_on") <= end)
        )
        new = this_year.filter(pl.col("event_type").is_in(["11", "12", "13"]))
        gone = this_year.filter(pl.col("event_type") == "22")
        table.add("M05.2-N", period, distinct(new, "degree_point_id"))
        table.add("M05.2-W", period, distinct(gone, "degree_point_id"))
        table.add("M05.2", period, distinct(pl.concat([new, gone]), "degree_point_id"), total(now))


def _students(table: TruthTable, facts: Facts) -> None:
    discipline = facts["degree_point"].select(
        "degree_point_id", pl.col("discipline_code").alias("discipline")
    )
    students = facts.of_student("student").join(discipline, on="degree_point_id", how="left")
    for year in facts.years(2016, 9, 30):
        day, period = date(year, 9, 30), str(year)
        now = students.filter(
            (pl.col("entry_on") <= day)
            & (pl.col("left_on").is_null() | (pl.col("left_on") > day))
            & (pl.col("status_code") != "30")
            & pl.col("degree_level").is_in(["1", "2"])
        )
        professional = now.filter(pl.col("degree_type") == "2")
        table.add("M03.1-S", period, distinct(professional, "person"), distinct(now, "person"))
        engineers = professional.filter(pl.col("discipline").is_in(ENGINEERING))
        alternating = engineers.filter("is_alternation")
        table.add("M14.1", period, distinct(alternating, "person"), distinct(engineers, "person"))


def _demand(table: TruthTable, facts: Facts) -> None:
    clusters = set(facts.key_clusters())
    for year, end in _year_ends(facts, 2016):
        a_year_ago = date(end.year - 1, end.month, end.day)
        fresh = facts["talent_demand"].filter(
            (pl.col("published_on") <= end) & (pl.col("published_on") > a_year_ago)
        )
        covered = clusters & set(fresh["cluster_code"])
        table.add_city("M04.1", str(year), float(len(covered)), float(len(clusters)))


def _response(table: TruthTable, facts: Facts) -> None:
    """Days from the list to the grant, of the urgent points of the year that still stand at its end."""
    units = [WHOLE, *(("institution", code) for code in facts["institution"]["inst_code"])]
    listed = (
        facts["urgent_discipline_list"]
        .filter(pl.col("category_code") == "10")
        .rename({"list_id": "urgent_list_id"})
    )
    points = facts["degree_point"].select(
        "degree_point_id",
        pl.col("discipline_code").alias("own_discipline"),
        pl.col("degree_level").alias("own_level"),
    )
    events = facts["degree_point_event"].join(points, on="degree_point_id")
    grants = events.filter(
        pl.col("event_type").is_in(["11", "12", "13"]) & (pl.col("event_on") >= PLAN_START)
    ).join(listed, on="urgent_list_id")
    grants = grants.filter(
        (pl.col("own_discipline") == pl.col("discipline_code"))
        & (pl.col("own_level") == pl.col("degree_level"))
        & (pl.col("event_on") >= pl.col("valid_from"))
        & (pl.col("valid_to").is_null() | (pl.col("event_on") <= pl.col("valid_to")))
    ).with_columns(pl.col("degree_point_id").str.slice(0, 5).alias("inst"))
    for year, end in _year_ends(facts, 2026):
        ends = events.filter(pl.col("event_type").is_in(["21", "22"]) & (pl.col("event_on") <= end))
        fallen = grants.join(
            ends.select("degree_point_id", pl.col("event_on").alias("ended_on")), on="degree_point_id"
        )
        lost = fallen.filter(pl.col("ended_on") > pl.col("event_on"))["event_id"]
        new = grants.filter(
            (pl.col("event_on").dt.year() == year)
            & (pl.col("event_on") <= end)
            & ~pl.col("event_id").is_in(lost.implode())
        )
        days = (pl.col("event_on") - pl.col("published_on")).dt.total_days()
        nothing: Values = dict.fromkeys(units)
        counted = total(new) if len(new) else {}
        table.add("M04.2", str(year), nothing | (total(new, days) if counted else {}), nothing | counted)


def _degrees(table: TruthTable, facts: Facts) -> None:
    discipline = facts["degree_point"].select("degree_point_id", pl.col("discipline_code").alias("of_point"))
    evidence = _evidenced(facts)
    awards = (
        facts["degree_award"]
        .with_columns(pl.coalesce("student_id", "degree_point_id").str.slice(0, 5).alias("inst"))
        .join(discipline, on="degree_point_id", how="left")
        .join(evidence, on="thesis_id", how="left")
        .filter((pl.col("degree_type") == "2") & (pl.col("awarded_on") <= facts.as_of))
    )
    month, year_of = pl.col("awarded_on").dt.month(), pl.col("awarded_on").dt.year()
    awards = awards.with_columns((year_of - (month < 9).cast(pl.Int32)).alias("ay"))
    for year in facts.years(2016, 9, 1):
        now, period = awards.filter(pl.col("ay") == year), academic_year(year)
        engineers = now.filter(pl.col("of_point").is_in(ENGINEERING))
        by_practice = pl.col("basis_code") == "2"
        table.add("M14.2", period, total(engineers.filter(pl.col("is_evidenced"))), total(engineers))
        table.add("M14.3", period, total(now.filter(by_practice)), total(now))
        table.add("M14.3-E", period, total(engineers.filter(by_practice)), total(engineers))


def _evidenced(facts: Facts) -> pl.DataFrame:
    """thesis_id, is_evidenced: a topic of the front line with evidence; a commissioned one with a project that is there."""
    projects = pl.concat([facts[e]["project_id"] for e in ("commissioned_project", "practice_project")])
    commissioned = (pl.col("topic_source_code") == "14").fill_null(False)
    return facts["thesis"].select(
        "thesis_id",
        (
            (pl.col("frontline_flag").fill_null(False) | commissioned)
            & (pl.col("frontline_evidence_code").fill_null("0") != "0")
            & (~commissioned | pl.col("source_project_id").is_in(projects.implode()).fill_null(False))
        ).alias("is_evidenced"),
    )


def _abroad(table: TruthTable, facts: Facts) -> None:
    rows = facts["overseas_study"].with_columns(
        pl.coalesce(pl.col("student_id").str.slice(0, 5), "inst_code").alias("inst"),
        (pl.col("departed_on") <= facts.as_of).fill_null(False).alias("is_departed"),
    )
    for year in facts.years(2016, 1, 1):
        chosen = rows.filter(
            (pl.col("selected_on").dt.year() == year) & (pl.col("selected_on") <= facts.as_of)
        )
        degrees, period = chosen.filter(pl.col("purpose_code").is_in(["1", "2"])), str(year)
        table.add("M17.1", period, distinct(degrees, "person"))
        table.add("M17.1-D", period, distinct(degrees.filter("is_departed"), "person"))
        joint = chosen.filter(pl.col("purpose_code").is_in(["1", "2", "3"]))
        table.add("M17.1-J", period, distinct(joint, "person"))
    for year in facts.years(2016, 9, 1):
        first, last = date(year, 9, 1), date(year + 1, 8, 31)
        practice = rows.filter(
            (pl.col("purpose_code") == "4")
            & pl.col("is_departed")
            & pl.col("departed_on").is_between(first, last)
        )
        credited = practice.filter(pl.col("credits_recognised") > 0)
        table.add("M17.3", academic_year(year), total(credited), total(practice))


def _lists(table: TruthTable, facts: Facts) -> None:
    plan = {r["item_code"]: r["recurrence"] == "once" for r in lists.plan()}
    reported = facts["list_item"].filter(pl.col("doc_version") == lists.REPORTED_VERSION)
    led = set(reported.filter(pl.col("lead_dept").is_not_null())["list_item_id"])
    steps = defaultdict(list)
    ours = facts["list_milestone"].filter(pl.col("doc_version") == lists.REPORTED_VERSION)
    for row in ours.iter_rows(named=True):
        steps[row["list_item_id"]].append(row)
    for year, end in _year_ends(facts, 2026):
        of_year = {
            item: [s for s in steps[item] if (c := int(s["cycle_label"][:4])) == year or (once and c >= year)]
            for item, once in plan.items()
        }
        proven = {
            item
            for item, own in of_year.items()
            if item in led and any(s["evidence_uri"] and s["done_on"] and s["done_on"] <= end for s in own)
        }
        begun = [item for item in plan if _ages(steps[item], plan[item], end)]
        stuck = [item for item in begun if any(age > PATIENCE for age in _ages(steps[item], plan[item], end))]
        items = float(len(plan))
        table.add_city("M21.1", str(year), float(len(proven)), items)
        table.add_city("M21.1-L", str(year), float(len(led & set(plan))), items)
        table.add_city("M21.2", str(year), float(len(stuck)), float(len(begun)))


def _ages(steps: list[dict], once: bool, end: date) -> list[int]:
    """Days that every stage of an item was open on a day; 0 for one that was over."""
    found = []
    for cycle in sorted({s["cycle_label"][:4] for s in steps}):
        since: date | None = PLAN_START if once else max(PLAN_START, date(int(cycle), 1, 1))
        for stage in lists.STAGES:
            own = [s for s in steps if s["cycle_label"][:4] == cycle and s["stage_code"] == stage]
            if not own or since is None:
                continue
            done = max((s["done_on"] for s in own if s["done_on"]), default=None)
            whole = all(s["done_on"] and s["done_on"] <= end for s in own)
            found.append(0 if whole else (end - since) // timedelta(days=1))
            since = done if whole else None
    return found
