"""Truth of the mechanisms on courses and resources (M01.1, M06.1–M06.4, M16.2), in plain frames of accepted records."""

from datetime import date

import polars as pl

from yuyan_demo.simulator.facts import Facts
from yuyan_demo.simulator.measures_supervision import year_ends
from yuyan_demo.simulator.truth_table import TruthTable, academic_year, distinct, total

INNOVATION = ("AI1", "AI2", "CX", "ZH")
RENEWAL, YEARS = 0.3, (3, 5)
"""Changed content that makes a renewal; the windows of M06.1a and M06.1 in academic years."""


def enter(table: TruthTable, facts: Facts) -> None:
    """Enter every variant and period."""
    courses = facts["course"].with_columns(
        pl.col("tag_codes").fill_null("").str.split(";").alias("tags"), pl.col("inst_code").alias("home")
    )
    _offered(table, facts, courses)
    _renewed(table, facts, courses)
    _taken(table, facts, courses)
    _resources(table, facts)
    for year, _ in year_ends(facts, 2016):
        from_sichuan = facts["supervisor"].filter(pl.col("employer_region_code").str.starts_with("51"))
        hired = facts["supervisor_appointment"].filter(pl.col("from_on").dt.year() == year)
        table.add("M16.2h", str(year), total(hired.join(from_sichuan, on="supervisor_id", how="semi")))


def tagged(*codes: str) -> pl.Expr:
    """Courses with one of the tags."""
    return pl.col("tags").list.set_intersection(list(codes)).list.len() > 0


def _offered(table: TruthTable, facts: Facts, courses: pl.DataFrame) -> None:
    held = facts["course_offering"].join(
        courses.select("course_id", "home", "tags"), on="course_id", how="left"
    )
    held = held.with_columns(pl.coalesce("home", "src_inst_code").alias("inst"))
    for year in facts.years(2016, 9, 1):
        here = held.filter(pl.col("academic_year") == academic_year(year))
        ideology = here.filter(tagged("SZ").fill_null(False))
        table.add("M01.1", academic_year(year), distinct(ideology, "course_id"), distinct(here, "course_id"))
        table.add("M06.4o", academic_year(year), total(here.filter("is_cross_inst_open")))


def renewals(facts: Facts) -> dict[str, list[tuple[str, str, str]]]:
    """Course -> (term of a renewal, its kind, the first academic year in which it counts: taught as renewed, or dropped)."""
    held: dict[str, list[tuple[str, str | None]]] = {}
    for course, year, term, taught in (
        facts["course_offering"].select("course_id", "academic_year", "term_code", "revision_id").iter_rows()
    ):
        held.setdefault(course, []).append((f"{year}-{term}", taught))
    found: dict[str, list[tuple[str, str, str]]] = {}
    for course, revision, kind, share, term in (
        facts["course_revision"]
        .select("course_id", "revision_id", "revision_kind", "changed_content_ratio", "effective_term")
        .iter_rows()
    ):
        if not (kind in ("1", "4") and share is None) and not (
            kind in ("1", "2", "4", "5") and share is not None and share >= RENEWAL
        ):
            continue
        used = [t[:9] for t, taught in held.get(course, []) if taught == revision or t >= term]
        if kind == "4" or used:
            found.setdefault(course, []).append((term, kind, term[:9] if kind == "4" else min(used)))
    return found


def _renewed(table: TruthTable, facts: Facts, courses: pl.DataFrame) -> None:
    core = courses.filter(pl.col("is_core") | pl.col("core_to").is_not_null())
    done = renewals(facts)
    points: dict[str, set[str]] = {}
    known = set(facts["degree_point"]["degree_point_id"])
    for course, point in facts["course_degree_point"].select("course_id", "degree_point_id").iter_rows():
        if point in known:
            points.setdefault(course, set()).add(point)
    for year in facts.years(2016, 9, 1):
        last, closes = academic_year(year), min(date(year + 1, 8, 31), facts.as_of)
        for variant, length in (("M06.1a", 3), ("M06.1", 5)):
            first, opens = academic_year(year + 1 - length), date(year + 1 - length, 9, 1)
            above: dict[tuple[str, str], float] = {}
            below: dict[tuple[str, str], float] = {}
            for course, inst, since, until in core.select(
                "course_id",
                "inst_code",
                pl.coalesce("core_from", "active_from"),
                pl.coalesce("core_to", "active_to"),
            ).iter_rows():
                if since > closes or (until is not None and until < opens):
                    continue
                is_new = any(
                    first <= term[:9] <= last and counts <= last for term, _, counts in done.get(course, [])
                )
                units = [("city", "500000"), ("institution", inst)]
                for unit in [*units, *(("degree_point", p) for p in points.get(course, ()))]:
                    below[unit] = below.get(unit, 0) + 1
                    above[unit] = above.get(unit, 0) + is_new
            table.add(variant, last, above, below)


def enrolments(facts: Facts) -> pl.DataFrame:
    """Enrolments with `inst`, the student's institution, and `sichuan`."""
    sichuan = pl.col("is_cross_inst") & pl.col("partner_region_code").str.starts_with("51").fill_null(False)
    return facts.of_student("course_enrolment").with_columns(sichuan.alias("sichuan"))


def _taken(table: TruthTable, facts: Facts, courses: pl.DataFrame) -> None:
    taken = enrolments(facts)
    for year in facts.years(2023, 9, 1):
        here = taken.filter(pl.col("academic_year") == academic_year(year))
        cross, sichuan = here.filter("is_cross_inst"), here.filter("sichuan")
        earned, recognised = pl.col("credits_earned"), pl.col("credits_recognised")
        table.add("M06.4", academic_year(year), total(cross, recognised), total(cross, earned))
        table.add("M06.4n", academic_year(year), total(cross))
        table.add("M16.2", academic_year(year), total(sichuan))
        table.add("M16.2c", academic_year(year), total(sichuan, recognised))
    tagged_ones = courses.filter(tagged(*INNOVATION)).select("course_id")
    offered = facts["course_offering"].join(tagged_ones, on="course_id", how="semi")
    passed = taken.filter(pl.col("result_code") == "1").join(offered, on="offering_id", how="semi")
    awards = facts.of_student("degree_award").filter(pl.col("awarded_on") <= facts.as_of)
    month, awarded = pl.col("awarded_on").dt.month(), pl.col("awarded_on").dt.year()
    awards = awards.with_columns((awarded - (month < 9).cast(pl.Int32)).alias("start"))
    for year in facts.years(2024, 9, 1):
        here = awards.filter(pl.col("start") == year)
        with_course = here.join(passed, on="student_id", how="semi")
        table.add(
            "M06.2", academic_year(year), distinct(with_course, "student_id"), distinct(here, "student_id")
        )


def _resources(table: TruthTable, facts: Facts) -> None:
    made = facts["teaching_resource"].filter(pl.col("kind_code").is_in(["20", "30", "40"]))
    for year, last in year_ends(facts, 2021):
        done = pl.col("completed_on")
        here = made.filter((done.dt.year() == year) & (done <= last))
        table.add("M06.3", str(year), total(here))
        table.add("M06.3e", str(year), total(here.filter(pl.col("co_dev_uscc").is_not_null())), total(here))
