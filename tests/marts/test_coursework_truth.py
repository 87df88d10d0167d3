"""The marts on courses and shared resources equal what is counted here, without SQL, in the accepted records."""

from datetime import date, timedelta

import polars as pl
import pytest

from yuyan_demo.simulator import measures_coursework as books
from yuyan_demo.simulator import truth
from yuyan_demo.simulator.truth_table import CITY, academic_year

pytestmark = pytest.mark.database

STARTS = {"1": (0, 9), "2": (1, 2), "3": (1, 7)}
"""Term -> whether it begins in the second calendar year, and in which month."""


def test_core_courses_and_when_they_are_due(marts, facts):
    rows = {
        (year, course): tuple(rest)
        for year, course, *rest in marts.execute(
            "select academic_year, course_id, last_renewed_term, renewal_due_on, renewal_state_code, "
            "is_at_risk_of_elimination from marts.course_core"
        ).fetchall()
    }
    done = books.renewals(facts)
    core = facts["course"].filter(pl.col("is_core") | pl.col("core_to").is_not_null())
    states, seen = set(), 0
    for year in facts.years(2016, 9, 1):
        last, closes = academic_year(year), min(date(year + 1, 8, 31), facts.as_of)
        for course, since, until in core.select(
            "course_id", pl.coalesce("core_from", "active_from"), pl.coalesce("core_to", "active_to")
        ).iter_rows():
            if since > closes or (until is not None and until < date(year, 9, 1)):
                assert (last, course) not in rows
                continue
            seen += 1
            known = [(t, k) for t, k, counts in done.get(course, []) if t[:9] <= last and counts <= last]
            term, kind = max(known, default=(None, None))
            begins = since
            if term:
                later, month = STARTS[term[10]]
                begins = date(int(term[:4]) + later, month, 1)
            due = date(begins.year + 5, begins.month, 1)
            state = "DROPPED" if kind == "4" else "OVERDUE" if due <= closes else None
            state = state or (
                "AT-RISK" if due <= closes + timedelta(days=365) else "RENEWED" if term else "NOT-DUE"
            )
            states.add(state)
            assert rows[last, course] == (term, due, state, state == "OVERDUE"), (last, course)
    assert seen == len(rows)
    assert states >= {"OVERDUE", "AT-RISK", "RENEWED"}


def test_the_citys_renewal_stands_beside_both_requirements(marts, simulated_city):
    book = {
        (variant, period): (n, d)
        for variant, unit, period, n, d in truth.indicators(simulated_city)
        .select("variant_code", "unit_code", "period_code", "numerator", "denominator")
        .iter_rows()
        if unit == CITY
    }
    rows = marts.execute(
        "select academic_year, renewed_3y_count, core_course_3y_count, renewed_5y_count, core_course_5y_count, "
        "five_year_path_value, five_year_status_code, reform_path_value from marts.course_renewal_city order by 1"
    ).fetchall()
    assert len(rows) > 10
    for year, three, of_three, five, of_five, *_ in rows:
        assert (three, of_three, five, of_five) == (*book["M06.1a", year], *book["M06.1", year])
    paths = {year: path for year, *_, path, _, _ in rows}
    assert (paths["2024-2025"], paths["2025-2026"]) == (0.1, 0.2)
    assert {status for *_, status, _ in rows} <= {"BLUE", "GREEN", "AMBER", "RED", "GREY"}
    assert [year for year, *_, reform in rows if reform is not None] == ["2026-2027"]


def test_resource_sharing(marts, facts):
    ours = {
        tuple(row[:4]): tuple(row[4:])
        for row in marts.execute(
            "select academic_year, term_code, inst_code, partner_inst_code, enrolment_count, passed_count, credits_earned, "
            "credits_recognised, is_sichuan from marts.resource_sharing"
        ).fetchall()
    }
    cross = (
        books.enrolments(facts)
        .filter("is_cross_inst")
        .with_columns(pl.col("partner_inst_code").fill_null("-"))
    )
    grouped = cross.group_by("academic_year", "term_code", "inst", "partner_inst_code").agg(
        pl.len(),
        (pl.col("result_code") == "1").sum(),
        pl.col("credits_earned").sum(),
        pl.col("credits_recognised").sum(),
        pl.col("sichuan").any().alias("any"),
    )
    theirs = {tuple(row[:4]): tuple(row[4:]) for row in grouped.iter_rows()}
    assert set(ours) == set(theirs)
    for key, figures in theirs.items():
        assert ours[key] == pytest.approx(figures), key
    assert {row[-1] for row in theirs.values()} == {True, False}
