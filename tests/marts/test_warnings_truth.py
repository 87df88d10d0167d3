"""The marts on academic warnings equal what is counted here, without SQL; nothing small or personal is in them."""

import polars as pl
import pytest

from yuyan_demo.simulator import measures_welfare as books
from yuyan_demo.simulator.truth_table import CITY

pytestmark = pytest.mark.database


def shown(count: int, within: int | None = None) -> int | None:
    """A count as it may be published; `within`: of a whole that may not be shown itself."""
    large = count == 0 or count >= 5
    return count if large and (within is None or within >= 5) else None


def by_unit(frame: pl.DataFrame, keys: list[str], *values: pl.Expr) -> dict[tuple, tuple]:
    """(keys, unit) -> counts, of institutions and the city."""
    rows = frame.group_by(*keys, "inst").agg(values).rows()
    rows += frame.with_columns(pl.lit(CITY).alias("inst")).group_by(*keys, "inst").agg(values).rows()
    size = len(keys) + 1
    return {row[:size]: row[size:] for row in rows}


def test_flow_of_warnings(marts, facts):
    ours = {
        row[:5]: row[5:]
        for row in marts.execute(
            "select academic_year, term_code, warning_level_code, reason_code, unit_code, warning_count, closed_count, "
            "due_count, closed_in_time_count, is_small_cell from marts.academic_warning_flow"
        ).fetchall()
    }
    spring = pl.col("issued_on").dt.month().is_between(2, 8)
    issued = books.warnings(facts).with_columns(
        pl.when(spring).then(pl.lit("2")).otherwise(pl.lit("1")).alias("term")
    )
    closed = (pl.col("closed_on") <= facts.as_of).fill_null(False)
    theirs = by_unit(
        issued,
        ["period", "term", "warning_level", "reason_code"],
        pl.len(),
        closed.sum().alias("closed"),
        pl.col("due").sum(),
        pl.col("in_time").sum(),
    )
    assert set(ours) == set(theirs)
    for key, (count, done, due, in_time) in theirs.items():
        expected = (shown(count), shown(done, count), shown(due, count), shown(in_time, due), count < 5)
        assert ours[key] == expected, key
    assert {row[-1] for row in ours.values()} == {True, False}


def test_recall_of_warnings(marts, facts):
    ours = {
        row[:3]: row[3:]
        for row in marts.execute(
            "select academic_year, event_type_code, unit_code, event_count, warned_count, recall_share "
            "from marts.warning_recall"
        ).fetchall()
    }
    theirs = by_unit(books.troubles(facts), ["period", "event_type"], pl.len(), pl.col("warned").sum())
    assert set(ours) == set(theirs)
    for key, (count, warned) in theirs.items():
        share = warned / count if None not in (shown(count), shown(warned, count)) else None
        assert ours[key] == pytest.approx((shown(count), shown(warned, count), share)), key


def test_nobody_and_no_unit_below_an_institution_is_in_the_star(marts):
    columns = marts.execute(
        "select table_name, column_name from information_schema.columns where table_schema = 'star' "
        "and table_name in ('fct_academic_warning', 'fct_warning_recall', 'fct_misconduct_year')"
    ).fetchall()
    assert {table for table, _ in columns} == {
        "fct_academic_warning",
        "fct_warning_recall",
        "fct_misconduct_year",
    }
    named = (
        "student",
        "person",
        "degree_point",
        "unit_code",
        "supervisor",
        "record",
        "warning_id",
        "case_id",
    )
    assert [c for c in columns if any(word in c[1] for word in named)] == []
