"""Truth of the mechanisms on supervisors and teams (M02.2, M07.1–M07.4), in plain frames of accepted records."""

from collections.abc import Iterator
from datetime import date

import polars as pl

from yuyan_demo.simulator.facts import Facts
from yuyan_demo.simulator.truth_table import TruthTable, distinct, total

HOME = pl.col("supervisor_id").str.slice(0, 5).alias("inst")


def enter(table: TruthTable, facts: Facts) -> None:
    """Enter every variant and period."""
    _teams(table, facts)
    _pool(table, facts)
    _care(table, facts)
    for year in facts.years(2016, 9, 30):
        _census(table, facts, year)


def year_ends(facts: Facts, first: int) -> Iterator[tuple[int, date]]:
    """Calendar years from `first` with their last day, of the running one the run's."""
    for year in facts.years(first, 1, 1):
        yield year, min(date(year, 12, 31), facts.as_of)


def in_study(facts: Facts, day: date) -> pl.DataFrame:
    """Registrations in study on a day."""
    return facts["student"].filter(
        (pl.col("entry_on") <= day)
        & (pl.col("left_on").is_null() | (pl.col("left_on") > day))
        & (pl.col("status_code") != "30")
        & pl.col("degree_level").is_in(["1", "2"])
    )


def open_on(day: date, until: str = "to_on") -> pl.Expr:
    """Relations that stand on a day."""
    return (pl.col("from_on") <= day) & (pl.col(until).is_null() | (pl.col(until) >= day))


def _teams(table: TruthTable, facts: Facts) -> None:
    for year, last in year_ends(facts, 2022):
        manned = facts["team_member"].filter(open_on(last))["team_id"].unique()
        teams = facts["team"].filter(
            (pl.col("approved_on") <= last) & pl.col("team_id").is_in(manned.implode())
        )
        table.add("M07.1", str(year), total(teams))
        for variant, flag in (("M07.1a", "is_cross_unit"), ("M07.1b", "is_school_enterprise")):
            table.add(variant, str(year), total(teams.filter(flag)), total(teams))


def pool_entries(facts: Facts) -> pl.DataFrame:
    """Entries with their person, the institution that reports it, and the first appointment out of the pool."""
    people = facts["supervisor"].select("supervisor_id", "person")
    hired = (
        facts["supervisor_appointment"]
        .join(facts["mentor_pool_entry"].select("pool_entry_id", "entered_on"), on="pool_entry_id")
        .filter((pl.col("from_on") >= pl.col("entered_on")) & (pl.col("from_on") <= facts.as_of))
        .group_by("pool_entry_id")
        .agg(pl.col("from_on").min().alias("hired_on"), pl.col("inst_code").n_unique().alias("places"))
    )
    return (
        facts["mentor_pool_entry"]
        .join(people, on="supervisor_id", how="left")
        .join(hired, on="pool_entry_id", how="left")
        .with_columns(HOME)
    )


def _pool(table: TruthTable, facts: Facts) -> None:
    entries = pool_entries(facts)
    for year, last in year_ends(facts, 2024):
        here = entries.filter(pl.col("entered_on") <= last)
        exited = pl.col("exited_on")
        parts = {
            "M07.2s": exited.is_null() | (exited > last),
            "M07.2i": pl.col("entered_on").dt.year() == year,
            "M07.2o": (exited.dt.year() == year) & (exited <= last),
            "M07.2n": (pl.col("hired_on").dt.year() == year)
            & (exited.is_null() | (exited.dt.year() >= year)),
        }
        for variant, which in parts.items():
            table.add(variant, str(year), distinct(here.filter(which), "person"))


def guiding(facts: Facts, year: int, last: date) -> pl.DataFrame:
    """Supervisors who guided somebody on any day of the year, one row each."""
    whole = (pl.col("from_on") <= last) & (pl.col("to_on").is_null() | (pl.col("to_on") >= date(year, 1, 1)))
    return facts["student_supervisor"].filter(whole).select("supervisor_id").unique().with_columns(HOME)


def of_events(facts: Facts, last: date, kind: str, *years: int) -> pl.DataFrame:
    """Events of a kind in some years, up to a day."""
    on = pl.col("event_on")
    return facts["supervisor_event"].filter(
        (pl.col("event_type") == kind) & on.dt.year().is_in(list(years)) & (on <= last)
    )


def _care(table: TruthTable, facts: Facts) -> None:
    for year, last in year_ends(facts, 2022):
        active = guiding(facts, year, last)
        assessed = of_events(facts, last, "20", year)
        here = active.join(assessed, on="supervisor_id", how="semi")
        failed = active.join(assessed.filter(pl.col("result_code") == "4"), on="supervisor_id", how="semi")
        table.add("M02.2", str(year), total(here), total(active))
        table.add("M02.2f", str(year), total(failed), total(here))
        if year >= 2023:
            hours = (
                of_events(facts, last, "10", year - 1, year)
                .group_by("supervisor_id")
                .agg(pl.col("hours").sum())
            )
            trained = active.join(hours.filter(pl.col("hours") >= 16), on="supervisor_id", how="semi")
            table.add("M07.3", str(year), total(trained), total(active))


def loads(facts: Facts, day: date) -> pl.DataFrame:
    """First supervisors with `students` and `doctoral`, the students in study whom they guide on a day."""
    students = in_study(facts, day).select("student_id", "degree_level")
    relations = facts["student_supervisor"].filter((pl.col("role_code") == "10") & open_on(day))
    return (
        relations.join(students, on="student_id")
        .group_by("supervisor_id")
        .agg(
            pl.col("student_id").n_unique().alias("students"),
            pl.col("student_id").filter(pl.col("degree_level") == "1").n_unique().alias("doctoral"),
        )
        .with_columns(HOME)
    )


def _census(table: TruthTable, facts: Facts, year: int) -> None:
    day = date(year, 9, 30)
    guided = facts["student_supervisor"].filter((pl.col("role_code") == "30") & open_on(day))
    professional = in_study(facts, day).filter(pl.col("degree_type") == "2")
    paired = professional.join(guided, on="student_id", how="semi")
    table.add("M07.2", str(year), distinct(paired, "person"), distinct(professional, "person"))
    load = loads(facts, day)
    doctoral = load.filter(pl.col("doctoral") > 0)
    table.add("M07.4", str(year), total(load, pl.col("students")), total(load))
    table.add("M07.4d", str(year), total(load, pl.col("doctoral")), total(doctoral))
