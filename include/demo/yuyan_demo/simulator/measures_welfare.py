"""Truth of the mechanisms on standards, safety and warnings (M02.1, M08.3, M18.2), in plain frames of accepted records."""

from datetime import date, timedelta

import polars as pl

from yuyan_demo.simulator.facts import Facts
from yuyan_demo.simulator.measures_supervision import in_study
from yuyan_demo.simulator.truth_table import TruthTable, academic_year, distinct, total

IN_TIME = timedelta(days=90)


def enter(table: TruthTable, facts: Facts) -> None:
    """Enter every variant and period."""
    for year in facts.years(2021, 9, 30):
        _trained(table, facts, year)
    for year in facts.years(2021, 9, 1):
        _warned(table, facts, year)


def _trained(table: TruthTable, facts: Facts, year: int) -> None:
    day = date(year, 9, 30)
    valid = (pl.col("passed_on") <= day) & (pl.col("valid_to").is_null() | (pl.col("valid_to") >= day))
    records = facts["compliance_training"].with_columns(valid.fill_null(False).alias("valid"))
    students = in_study(facts, day)
    by_kind = records.filter("required").group_by("student_id", "kind_code").agg(pl.col("valid").any())
    must = by_kind.group_by("student_id").agg(pl.col("valid").all())
    required = students.join(must, on="student_id")
    known = facts["degree_point"].select("degree_point_id")
    by_point = required.join(known, on="degree_point_id", how="semi")

    def people(frame: pl.DataFrame, pointed: pl.DataFrame) -> dict:
        return distinct(frame, "person") | {
            unit: n for unit, n in distinct(pointed, "person", ("degree_point",)).items()
        }

    table.add(
        "M02.1",
        str(year),
        people(required.filter("valid"), by_point.filter("valid")),
        people(required, by_point),
    )
    safety = records.filter(pl.col("kind_code") == "10").group_by("student_id")
    is_known = pl.col("passed_on").is_null() | (pl.col("passed_on") <= day)
    access = safety.agg(
        (pl.col("lab_access_granted").fill_null(False) & is_known).any().alias("admitted"),
        pl.col("valid").any(),
    )
    admitted = students.join(access.filter("admitted"), on="student_id")
    table.add("M08.3", str(year), distinct(admitted.filter("valid"), "person"), distinct(admitted, "person"))
    table.add("M08.3n", str(year), distinct(admitted.filter(~pl.col("valid")), "person"))


def of_academic_year(name: str) -> pl.Expr:
    """Code of the academic year of a date."""
    start = pl.col(name).dt.year() - (pl.col(name).dt.month() < 9).cast(pl.Int32)
    return pl.format("{}-{}", start, start + 1)


def troubles(facts: Facts) -> pl.DataFrame:
    """Delays and withdrawals since 2021-2022 with `warned`, whether an academic warning came before."""
    first = facts["academic_warning"].group_by("student_id").agg(pl.col("issued_on").min().alias("first"))
    events = facts.of_student("student_status_event").filter(
        pl.col("event_type").is_in(["06", "31"])
        & (pl.col("event_on") >= date(2021, 9, 1))
        & (pl.col("event_on") <= facts.as_of)
    )
    warned = (pl.col("first") < pl.col("event_on")).fill_null(False)
    return events.join(first, on="student_id", how="left").with_columns(
        warned.alias("warned"), of_academic_year("event_on").alias("period")
    )


def warnings(facts: Facts) -> pl.DataFrame:
    """Warnings with the institution, the academic year, and whether they are `due` and closed `in_time`."""
    due = pl.col("issued_on") <= facts.as_of - IN_TIME
    in_time = due & ((pl.col("closed_on") - pl.col("issued_on")) <= IN_TIME).fill_null(False)
    return facts.of_student("academic_warning").with_columns(
        due.alias("due"), in_time.alias("in_time"), of_academic_year("issued_on").alias("period")
    )


def _warned(table: TruthTable, facts: Facts, year: int) -> None:
    period = academic_year(year)
    events = troubles(facts).filter(pl.col("period") == period)
    table.add("M18.2", period, total(events.filter("warned")), total(events))
    issued = warnings(facts).filter(pl.col("period") == period)
    table.add("M18.2b", period, total(issued.filter("in_time")), total(issued.filter("due")))
