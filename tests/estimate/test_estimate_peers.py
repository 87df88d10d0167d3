"""Warnings, benchmarks and statuses of units, on counts whose answer is known."""

import polars as pl
import pytest

from yuyan.estimate import peers, rates
from yuyan.estimate.registry import RuleError, parse

RATE = parse("RATE(counts=H09d;floor=0.95;amber=0.30;red=0.95;years=3;minimum=10;strength=50)", "H09")
AGAINST = parse("BENCHMARK(margin=0.03;amber=0.30;red=0.95;minimum=10;strength=50)", "H13a")


def _counts(rows: list[tuple]) -> pl.DataFrame:
    names = ["grain", "unit_code", "group", "period_year", "numerator", "denominator"]
    kinds = [pl.String, pl.String, pl.String, pl.Int64, pl.Float64, pl.Float64]
    return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")


@pytest.fixture(scope="module")
def warned() -> pl.DataFrame:
    """Forty sound points of 8 theses a year over four years, one that fails a third, one too small to judge."""
    rows = [("degree_point", f"p{i:02}", "2-08", y, 8, 8) for i in range(40) for y in range(2022, 2026)]
    rows += [("degree_point", "weak", "2-08", y, 5, 8) for y in range(2022, 2026)]
    rows += [("degree_point", "tiny", "2-08", 2025, 1, 2)]
    return peers.warnings(_counts(rows), "H09", RATE)


def test_windows_pool_counts_and_not_rates(warned):
    row = warned.row(by_predicate=(pl.col("unit_code") == "weak") & (pl.col("period_code") == "2025")
                     & (pl.col("pooled_years") == 3), named=True)  # fmt: skip
    assert (row["sound"], row["cases"]) == (15, 24)
    prior = rates.Prior(
        row["prior_mean"] * row["prior_strength"], (1 - row["prior_mean"]) * row["prior_strength"]
    )
    assert row["shrunk_value"] == pytest.approx((prior.alpha + 15) / (prior.strength + 24))
    assert row["shrunk_value"] > 15 / 24


def test_the_weak_point_is_red_the_sound_ones_are_green_the_tiny_one_is_not_judged(warned):
    now = warned.filter((pl.col("period_code") == "2025") & (pl.col("pooled_years") == 3))
    status = dict(now.select("unit_code", "status_code").iter_rows())
    assert status.pop("weak") == "RED"
    assert status.pop("tiny") == "GREY"
    assert set(status.values()) == {"GREEN"}
    assert len(status) == 40
    assert now.filter(pl.col("unit_code") == "weak")["q_value"][0] < 0.05
    assert now.filter(pl.col("unit_code") == "tiny")["q_value"].is_nan().all()


def test_statuses_are_those_of_the_rules_own_window(warned):
    found = peers.statuses(warned, RATE)
    assert set(found["pooled_years"]) == {3}
    reasons = found.filter(pl.col("unit_code") == "tiny").select("status_code", "status_reason_code").row(0)
    assert reasons == ("GREY", "SMALL-N")


def _cells(own_rate: float) -> pl.DataFrame:
    """Twelve institutions with two points each; the first has `own_rate` of its 400, all others 50 % and 30 %."""
    rows = []
    for i in range(12):
        for stratum, share in (("2-1-08", 0.5), ("2-2-08", 0.3)):
            x = round(200 * (own_rate if i == 0 else share))
            rows.append(("H13a", "2025", f"i{i:02}", f"i{i:02}-{stratum}", stratum, float(x), 200.0))
    names = [
        "variant_code",
        "period_code",
        "inst_code",
        "degree_point_id",
        "stratum",
        "numerator",
        "denominator",
    ]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_benchmarks_of_institutions_and_points():
    found = peers.benchmarks(_cells(0.5))
    one = found.row(
        by_predicate=(pl.col("grain") == "institution") & (pl.col("unit_code") == "i03"), named=True
    )
    high = (11 * 100 + 100) / 2400
    low = (11 * 60 + 100) / 2400
    assert one["benchmark_value"] == pytest.approx((high + low) / 2)
    assert one["benchmark_own_share"] == pytest.approx(1 / 12)
    point = found.row(by_predicate=pl.col("unit_code") == "i03-2-1-08", named=True)
    assert (point["observed"], point["benchmark_value"]) == pytest.approx((0.5, high))


def test_an_institution_far_below_its_like_is_red_and_nobody_else():
    status = dict(
        peers.judged(peers.benchmarks(_cells(0.15)), "H13a", AGAINST)
        .select("unit_code", "status_code")
        .iter_rows()
    )
    assert status.pop("i00") == "RED"
    assert set(status.values()) == {"GREEN"}


@pytest.mark.parametrize("text", ["GUESS", "RATE(floor=0.9)", "FLOOR(amber=0.6;red=0.9;more=1)"])
def test_a_rule_that_cannot_be_read_is_named(text):
    with pytest.raises(RuleError, match="H99"):
        parse(text, "H99")


def test_a_year_without_cases_is_in_the_window_of_the_next():
    rows = [("institution", "a", "city", 2020, 12, 12), ("institution", "a", "city", 2022, 11, 12)]
    found = peers.warnings(_counts(rows), "H09", RATE).filter(pl.col("pooled_years") == 3)
    cases = dict(found.select("period_code", "cases").iter_rows())
    assert cases == {"2020": 12, "2021": 12, "2022": 24}


def test_no_counts_give_a_frame_of_the_same_types(warned):
    """A variant without rows stands beside others that have some."""
    none = peers.warnings(_counts([]), "H99", RATE)
    assert none.is_empty()
    assert none.schema == warned.schema
    assert len(pl.concat([none, warned])) == len(warned)
    assert peers.statuses(none, RATE).schema == peers.statuses(warned, RATE).schema
