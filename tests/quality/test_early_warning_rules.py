"""The rules of the warnings on frames whose answer is worked out by hand."""

from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from scipy import stats

from yuyan import settings
from yuyan.early_warning import backtest, index, parameters, rules
from yuyan.early_warning import run as early_warning

GIVEN = parameters.load_file()[0]
POINTS = pl.DataFrame({"target_code": ["10611-a", "10611-b", "10611-c"], "inst_code": ["10611"] * 3})


def levels(found: pl.DataFrame) -> dict[str, str]:
    return dict(found.filter(pl.col("signal_code") == "ALL").select("target_code", "level_code").iter_rows())


def test_two_consecutive_years_and_many_are_a_statutory_trigger():
    rows = [("10611-a", 2024, 9, 10), ("10611-a", 2025, 8, 10), ("10611-b", 2024, 9, 10), ("10611-b", 2025, 10, 10),
            ("10611-c", 2025, 5, 10)]  # fmt: skip
    samplings = pl.DataFrame(rows, schema=["target_code", "period_year", "x", "n"], orient="row")
    samplings = samplings.with_columns(pl.col("x", "n").cast(pl.Float64))
    none = pl.DataFrame(schema={"target_code": pl.String, "kind": pl.String, "judged_on": pl.String})
    found = rules.statutory(POINTS, samplings, none, 2025, GIVEN)
    assert levels(found) == {"10611-a": "STATUTORY", "10611-b": "GREEN", "10611-c": "GREY"}
    failed = pl.DataFrame(
        {"target_code": ["10611-c", "10611-b"], "kind": ["E30", "32"], "judged_on": ["2025-06-01"] * 2}
    )
    found = rules.statutory(POINTS, samplings, failed, 2025, GIVEN)
    assert levels(found) == {"10611-a": "STATUTORY", "10611-b": "GREEN", "10611-c": "STATUTORY"}
    assert (
        "结论为不合格（2025-06-01）"
        in found.filter(pl.col("target_code") == "10611-c")["reason_zh"].str.join("").item()
    )


def test_a_gap_needs_materiality_certainty_cases_and_others_to_compare_with():
    columns = ["variant_code", "target_code", "period_year", "x", "n", "value", "benchmark_value", "benchmark_error",
               "benchmark_own_share"]  # fmt: skip
    rows = [
        ("H12", "10611-a", 2025, 40.0, 100.0, 0.40, 0.60, 0.05, 0.1),
        ("H12", "10611-b", 2025, 57.0, 100.0, 0.57, 0.60, 0.05, 0.1),
        ("H12", "10611-c", 2025, 40.0, 100.0, 0.40, 0.60, 0.05, 0.9),
        ("H13a", "10611-b", 2025, 5.0, 20.0, 0.25, 0.60, 0.05, 0.1),
    ]
    compared = pl.DataFrame(rows, schema=columns, orient="row")
    found = rules.gaps(POINTS, compared, 2025, GIVEN)
    assert levels(found) == {"10611-a": "AMBER", "10611-b": "GREEN", "10611-c": "GREY"}
    own = found.filter((pl.col("target_code") == "10611-a") & (pl.col("signal_code") == "H12")).row(
        0, named=True
    )
    assert own["probability"] == pytest.approx(stats.norm.cdf((-0.025 + 0.20) / 0.05))
    p = sorted(1 - stats.norm.cdf((-0.025 - (v - 0.6)) / 0.05) for v in (0.40, 0.57))
    assert own["q_value"] == pytest.approx(min(2 * p[0], p[1])), "two tests of this variant were made"


def test_an_institution_is_judged_by_its_share_and_its_place_in_the_funnel():
    points = pl.DataFrame(
        {"target_code": [f"{i}-{k}" for i in ("10611", "10635") for k in range(6)],
         "inst_code": [i for i in ("10611", "10635") for _ in range(6)]}
    )  # fmt: skip
    verdicts = points.select(
        "target_code", level_code=pl.Series(["RED"] * 3 + ["GREEN"] * 3 + ["AMBER"] + ["GREEN"] * 5)
    )
    pooled = pl.DataFrame(
        {"target_code": ["10611", "10635"], "period_year": [2025] * 2, "pooled_years": [3] * 2, "x": [295.0, 260.0],
         "n": [300.0, 300.0], "lcl95": [0.9] * 2, "ucl95": [1.0] * 2}
    )  # fmt: skip
    found = rules.institutions(points, verdicts, pooled, 2025, GIVEN)
    by = {
        (t, s): level for t, s, level in found.select("target_code", "signal_code", "level_code").iter_rows()
    }
    assert (by["10611", "SHARE"], by["10635", "SHARE"]) == ("RED", "GREEN"), "one point is not enough"
    assert (by["10611", "FUNNEL"], by["10635", "FUNNEL"]) == ("GREEN", "RED")
    assert by["10611", "ALL"] == by["10635", "ALL"] == "RED"
    assert stats.binom.cdf(260, 300, 555 / 600) < GIVEN("W04", "funnel_red")
    few = pooled.with_columns(x=pl.Series([0.0, 295.0]), n=pl.Series([9.0, 300.0]))
    rows = rules.institutions(points, verdicts, few, 2025, GIVEN).filter(pl.col("signal_code") == "FUNNEL")
    assert dict(rows.select("target_code", "level_code").iter_rows()) == {"10611": "GREY", "10635": "GREEN"}


def test_alarms_are_worth_what_came_of_them():
    verdict = [("a", "RED"), ("b", "AMBER"), ("c", "GREEN"), ("d", "GREEN"), ("e", "GREY"), ("f", "AMBER")]
    found = pl.DataFrame(verdict, schema=["target_code", "level_code"], orient="row").with_columns(
        signal_code=pl.lit("ALL"), is_restricted=pl.lit(False), target_kind=pl.lit("DP"), rule_code=pl.lit("W02"),
        period_year=pl.lit(2024),
    )  # fmt: skip
    next_year = [("a", 8, 10), ("b", 10, 10), ("c", 9, 10), ("d", 10, 10), ("e", 1, 10)]  # f is not sampled
    samplings = pl.DataFrame(next_year, schema=["target_code", "x", "n"], orient="row").with_columns(
        pl.lit(2025).alias("period_year")
    )
    row = backtest.table(found, {("W02", 2024): 0.7}, samplings).row(0, named=True)
    assert (row["judged"], row["alarms"], row["expected_false_alarms"]) == (5, 3, 0.7)
    assert (row["followed"], row["problems"]) == (1, 2)
    assert (row["positive_predictive_value"], row["false_alarm_rate"], row["detection"]) == (0.5, 0.5, 0.5)
    unknown = backtest.table(found, {}, samplings.clear()).row(0, named=True)
    assert (unknown["followed"], unknown["detection"]) == (None, None)


def city() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Thirty like points with three signals; the first is weak in blind reviews."""
    points = [f"10611-{i:02}" for i in range(30)]
    rows = [(s, p, n * r - 12 * (s == "BLIND" and p == points[0]), float(n)) for s, n, r in
            (("H09d", 30, 0.9), ("BLIND", 40, 0.9), ("H06", 200, 0.8)) for p in points]  # fmt: skip
    counts = pl.DataFrame(rows, schema=["signal_code", "target_code", "x", "n"], orient="row")
    return counts, pl.DataFrame({"target_code": points, "group": "2-1"})


def test_the_worst_pillar_counts_and_contributions_add_up():
    counts, groups = city()
    rows = index.standardised(counts, groups, 10)
    found = index.values(rows, groups["target_code"].to_list())
    z = {(s, p): v for s, p, v in rows.select("signal_code", "target_code", "standardised").iter_rows()}
    quality = (z["H09d", "10611-00"] + z["BLIND", "10611-00"]) / 2
    assert found.value[0] == pytest.approx(
        max(quality, z["H06", "10611-00"]) + (quality + z["H06", "10611-00"]) / 2
    )
    assert found.value[0] > 1 > found.value[1]
    sums = dict(found.parts.group_by("target_code").agg(pl.sum("contribution")).iter_rows())
    assert [sums[p] for p in found.points] == pytest.approx(found.value.tolist())
    p_value, above = index.chance(rows, found, 1.2, 3)
    assert p_value[0] < 0.01
    assert p_value[1] > 0.2
    assert 0 < above.min() <= above.max() < 0.1
    assert np.isnan(index.chance(rows, found, 1.2, 4)[0]).all(), "too few signals are no test"


def test_a_pillar_without_confidence_is_left_out_and_named():
    counts, groups = city()
    rows = index.standardised(counts, groups, 10)
    for distrusted in ({("10611", "thesis_review")}, {(settings.COMMISSION, "thesis_sampling")}):
        kept, left_out = early_warning._trusted(SimpleNamespace(distrusted=distrusted), rows)
        assert set(kept["pillar_code"]) == {"PROCESS"}
        assert set(left_out["left_out"]) == {"QUALITY"}
    kept, left_out = early_warning._trusted(SimpleNamespace(distrusted={("10635", "thesis_review")}), rows)
    assert (len(kept), len(left_out)) == (len(rows), 0)


def test_versions_take_effect_on_their_day_and_must_be_whole(tmp_path):
    later = replace(GIVEN, version="W-2", effective_on=date(2027, 1, 1))
    assert parameters.in_force([GIVEN, later], date(2026, 12, 31)) is GIVEN
    assert parameters.in_force([GIVEN, later], date(2027, 1, 1)) is later
    with pytest.raises(parameters.ParameterError, match="没有生效的版本"):
        parameters.in_force([later], date(2026, 12, 31))
    assert all(p.signed_by == "" for p in parameters.load_file()), "nobody has signed"
    whole = (settings.SEEDS / "plan" / "warning_parameter.csv").read_text(encoding="utf-8")
    for broken, said in (
        (
            whole.replace("W-1,W02,floor,0.95,2026-01-01,,", "W-1,W02,flor,0.95,2026-01-01,,"),
            "W02.floor、W02.flor",
        ),
        (whole.replace("W-1,W02,floor,0.95,2026-01-01", "W-1,W02,floor,0.95,2026-02-01"), "不同的生效日期"),
        (whole.replace("W-1,W02,floor,0.95", "W-1,W02,floor,viel"), "viel"),
    ):
        path = tmp_path / "warning_parameter.csv"
        path.write_text(broken, encoding="utf-8")
        with pytest.raises(parameters.ParameterError, match=said):
            parameters.load_file(path)
