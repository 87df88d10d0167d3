"""Truth of M01.2, M02.3, M08.1, M08.2, M13.1, M17.2 and M21.3, in plain frames of accepted records.

Party branches, conduct, research training, plans of study, crossing disciplines, partners abroad, annual plans.
"""

from datetime import date

import polars as pl

from yuyan_demo.simulator.facts import Facts
from yuyan_demo.simulator.lists import REPORTED_VERSION
from yuyan_demo.simulator.measures_supervision import HOME, guiding, in_study, year_ends
from yuyan_demo.simulator.truth_table import (
    WHOLE,
    TruthTable,
    academic_year,
    distinct,
    total,
)

SMALL = 5
"""The city's cases of a year are not shown when they are fewer, and not none."""
PROJECTS = {"M08.1p": "practice", "M08.1r": "10", "M08.1c": "20", "M08.1x": "30"}


def enter(table: TruthTable, facts: Facts) -> None:
    """Enter every variant and period."""
    _branches(table, facts)
    _conduct(table, facts)
    _training(table, facts)
    _plans(table, facts)
    _crossing(table, facts)
    _abroad(table, facts)
    _annual_plans(table, facts)


def standing(frame: pl.DataFrame, since: str, until: str, last: date) -> pl.DataFrame:
    """Records that have begun by a day and not ended on or before it."""
    return frame.filter((pl.col(since) <= last) & (pl.col(until).is_null() | (pl.col(until) > last)))


def _branches(table: TruthTable, facts: Facts) -> None:
    kinds = {"M01.2a": "10", "M01.2b": "20", "M01.2c": "30"}
    for year, last in year_ends(facts, 2019):
        here = standing(facts["party_branch"], "established_on", "closed_on", last)
        table.add("M01.2", str(year), total(here))
        for variant, kind in kinds.items():
            table.add(variant, str(year), total(here.filter(pl.col("basis_kind") == kind)))


def _conduct(table: TruthTable, facts: Facts) -> None:
    cases = facts["misconduct_case"].filter(pl.col("subject_kind") == "T")
    for year, last in year_ends(facts, 2022):
        count = len(cases.filter((pl.col("decided_on").dt.year() == year) & (pl.col("decided_on") <= last)))
        shown = count == 0 or count >= SMALL
        table.of_city_only.add("M02.3")
        table.add(
            "M02.3",
            str(year),
            {WHOLE: float(count) if shown else None},
            {WHOLE: float(len(guiding(facts, year, last))) if shown else None},
        )


def _training(table: TruthTable, facts: Facts) -> None:
    practice = facts["practice_participation"].filter(pl.col("verified") & (pl.col("from_on") <= facts.as_of))
    research = facts["research_participation"]
    for year in facts.years(2020, 9, 1):
        first, last, period = date(year, 9, 1), min(date(year + 1, 8, 31), facts.as_of), academic_year(year)
        begin = in_study(facts, date(year, 9, 30)) if facts.as_of >= date(year, 9, 30) else None
        second = date(year + 1, 9, 30)
        later = in_study(facts, second) if second <= facts.as_of else begin
        people = pl.concat([begin, later]).unique("student_id")
        everyone = distinct(people, "person")
        during = (pl.col("from_on") <= last) & (pl.col("to_on").is_null() | (pl.col("to_on") >= first))
        taking = {
            variant: practice.filter(pl.col("from_on").is_between(first, date(year + 1, 8, 31)))
            if kind == "practice"
            else research.filter(during & (pl.col("project_kind") == kind))
            for variant, kind in PROJECTS.items()
        }
        for variant, rows in taking.items():
            table.add(
                variant, period, distinct(people.join(rows, on="student_id", how="semi"), "person"), everyone
            )
        anywhere = pl.concat([rows.select("student_id") for rows in taking.values()])
        table.add(
            "M08.1", period, distinct(people.join(anywhere, on="student_id", how="semi"), "person"), everyone
        )


def programmes(facts: Facts) -> pl.DataFrame:
    """Programmes with level and type of their point, and `plan`, what makes one plan another."""
    point = facts["degree_point"].select("degree_point_id", "degree_level", "degree_type")
    return (
        facts["programme"]
        .with_columns(pl.col("degree_point_id").str.slice(0, 5).alias("inst"))
        .join(point, on="degree_point_id", how="left")
        .with_columns(pl.struct("plan_version", "duration_years", "min_credits").alias("plan"))
    )


def _plans(table: TruthTable, facts: Facts) -> None:
    college = ("inst", "unit_code", "degree_level")
    known = facts["degree_point"].select("degree_point_id")
    for year, last in year_ends(facts, 2021):
        here = programmes(facts).filter(pl.col("plan_effective_from") <= last)
        academic = here.filter(pl.col("degree_type") == "1")
        beside = here.filter(pl.col("degree_type") == "2").join(academic, on=college, how="semi")
        shared = beside.join(academic, on=(*college, "plan"), how="semi")["programme_id"]
        separate = beside.filter(~pl.col("programme_id").is_in(shared.implode()))
        grains = ("degree_point",)
        of_points = [f.join(known, on="degree_point_id", how="semi") for f in (separate, beside)]
        above, below = (
            total(f) | total(p, grains=grains) for f, p in zip((separate, beside), of_points, strict=True)
        )
        table.add("M08.2", str(year), above, below)


def _crossing(table: TruthTable, facts: Facts) -> None:
    centres = facts["org_unit"].filter((pl.col("unit_kind") == "30") & pl.col("is_entity"))
    for year, last in year_ends(facts, 2016):
        table.add("M13.1", str(year), total(standing(centres, "valid_from", "valid_to", last)))
    crossing = programmes(facts).filter("is_interdisciplinary")
    for year, last in year_ends(facts, 2021):
        table.add("M13.1p", str(year), total(crossing.filter(pl.col("plan_effective_from") <= last)))
    for year in facts.years(2016, 9, 30):
        students = in_study(facts, date(year, 9, 30))
        table.add(
            "M13.1s", str(year), distinct(students.join(crossing, on="programme_id", how="semi"), "person")
        )
        foreign = students.filter(pl.col("nationality_code") != "CHN")
        table.add("M17.2s", str(year), distinct(foreign, "person"))
    tagged = pl.col("tag_codes").fill_null("").str.split(";").list.contains("JC")
    courses = facts["course"].filter(tagged).select("course_id", pl.col("inst_code").alias("inst"))
    held = facts["course_offering"].join(courses, on="course_id")
    for year in facts.years(2016, 9, 1):
        here = held.filter(pl.col("academic_year") == academic_year(year))
        table.add("M13.1c", academic_year(year), distinct(here, "course_id"))


def _abroad(table: TruthTable, facts: Facts) -> None:
    for year, last in year_ends(facts, 2016):
        valid = facts["sino_foreign_programme"].filter(
            (pl.col("approved_on") <= last) & (pl.col("valid_to").is_null() | (pl.col("valid_to") >= last))
        )
        table.add("M17.2", str(year), total(valid))
    overseas = (
        facts["supervisor"]
        .filter((pl.col("supervisor_kind") == "4") & (pl.col("status_code") != "90"))
        .with_columns(HOME)
    )
    for year, last in year_ends(facts, 2016):
        table.add(
            "M17.2o", str(year), distinct(overseas.filter(pl.col("first_appointed_on") <= last), "person")
        )
    awarded = facts["degree_award"].select("student_id").unique()
    left = facts["student"].filter(
        (pl.col("nationality_code") != "CHN")
        & pl.col("degree_level").is_in(["1", "2"])
        & (pl.col("left_on") <= facts.as_of)
    )
    for year, _ in year_ends(facts, 2016):
        here = left.filter(pl.col("left_on").dt.year() == year)
        table.add("M17.2c", str(year), total(here.join(awarded, on="student_id", how="semi")), total(here))


def annual_plans(facts: Facts, year: int, last: date) -> pl.DataFrame:
    """Institutions with tasks in a year: `inst`, `assigned`, `carried` (by the plan they filed) and `whole`."""
    given = facts["list_assignment"].filter(
        (pl.col("doc_version") == REPORTED_VERSION)
        & (pl.col("assignee_kind") == "I")
        & (pl.col("from_on") <= last)
        & (pl.col("to_on").is_null() | (pl.col("to_on") >= date(year, 1, 1)))
    )
    filed = facts["policy_document"].filter(
        (pl.col("kind_code") == "40") & (pl.col("edition_year") == year) & (pl.col("issued_on") <= last)
    )
    carried: dict[str, set[str]] = {}
    for inst, items in filed.select("inst_code", "carried_item_ids").iter_rows():
        carried.setdefault(inst, set()).update((items or "").split(";"))
    rows = []
    for inst, items in given.group_by("assignee_code").agg("list_item_id").sort("assignee_code").iter_rows():
        wanted = set(items)
        done = wanted & carried.get(inst, set())
        rows.append((inst, len(wanted), len(done), wanted == done))
    return pl.DataFrame(rows, schema=["inst", "assigned", "carried", "whole"], orient="row")


def _annual_plans(table: TruthTable, facts: Facts) -> None:
    for year, last in year_ends(facts, 2026):
        units = annual_plans(facts, year, last)
        table.add("M21.3", str(year), total(units.filter("whole")), total(units))
    minutes = facts["policy_document"].filter(pl.col("kind_code") == "50")
    for year, _ in year_ends(facts, 2025):
        table.of_city_only.add("M21.3m")
        table.add(
            "M21.3m", str(year), {WHOLE: float(len(minutes.filter(pl.col("issued_on").dt.year() == year)))}
        )
