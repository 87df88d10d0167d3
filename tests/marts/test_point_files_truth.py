"""The marts on plans, applications and evaluations of degree points equal what is counted here, without SQL."""

import polars as pl
import pytest

from yuyan_demo.simulator import measures_point_files as books
from yuyan_demo.simulator.truth_table import CITY

pytestmark = pytest.mark.database


def by_unit(frame: pl.DataFrame, keys: list[str], *values: pl.Expr) -> dict[tuple, tuple]:
    """(keys, unit) -> counts, of institutions and the city."""
    rows = frame.group_by(*keys, "inst").agg(values).rows()
    rows += frame.with_columns(pl.lit(CITY).alias("inst")).group_by(*keys, "inst").agg(values).rows()
    size = len(keys) + 1
    return {row[:size]: row[size:] for row in rows}


def test_plans_and_applications(marts, facts):
    ours = {
        row[:2]: row[2:]
        for row in marts.execute(
            "select cycle_label, unit_code, plan_item_count, urgent_plan_item_count, application_count, "
            "planned_before_count, unplanned_count, granted_count, pending_count, planned_before_share "
            "from marts.degree_point_application"
        ).fetchall()
    }
    plans = facts["construction_plan"].filter(pl.col("filed_on") <= facts.as_of)
    planned = by_unit(plans, ["cycle_label"], pl.len(), pl.col("urgent_list_id").is_not_null().sum())
    applied = by_unit(
        books.applications(facts),
        ["cycle_label"],
        pl.len(),
        pl.col("planned_before").sum(),
        pl.col("plan_item_id").is_null().sum(),
        ((pl.col("result_code") == "10") & (pl.col("decided_on") <= facts.as_of)).fill_null(False).sum(),
        pl.col("result_code").is_null().sum().alias("pending"),
    )
    theirs = {}
    for unit in {*planned, *applied}:
        counts = applied.get(unit, (0,) * 5)
        share = counts[1] / counts[0] if counts[0] else None
        theirs[unit] = (*planned.get(unit, (0, 0)), *counts, share)
    assert set(ours) == set(theirs)
    for unit, figures in theirs.items():
        assert ours[unit] == pytest.approx(figures), unit
    city = [row for (_, unit), row in ours.items() if unit == CITY]
    # each state is to be seen: based on the list, planned before or in the cycle, not planned, granted, refused, waiting
    assert all(sum(row[i] for row in city) for i in range(7))
    assert any(row[3] + row[4] < row[2] for row in city)
    assert any(row[5] + row[6] < row[2] for row in city)


def test_evaluations_by_round(marts, facts):
    ours = {
        row[:3]: row[3:]
        for row in marts.execute(
            "select eval_round, eval_kind_code, unit_code, evaluated_count, passed_count, rectify_count, failed_count, "
            "passed_share from marts.degree_point_evaluation"
        ).fetchall()
    }
    result = pl.col("result_code")
    rows = facts["evaluation_result"].with_columns(pl.col("degree_point_id").str.slice(0, 5).alias("inst"))
    theirs = by_unit(
        rows,
        ["eval_round", "eval_kind"],
        pl.len(),
        (result == "10").sum().alias("passed"),
        (result == "20").sum().alias("rectify"),
        (result == "30").sum().alias("failed"),
    )
    assert set(ours) == set(theirs)
    for unit, (count, passed, rectify, failed) in theirs.items():
        assert ours[unit] == pytest.approx((count, passed, rectify, failed, passed / count)), unit
    assert {kind for _, kind, _ in ours} >= {"10", "20", "30", "40", "50"}
