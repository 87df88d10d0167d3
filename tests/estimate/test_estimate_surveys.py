"""Surveys: what changes when only the mix of answers changes, the trend test over units, the composite."""

import json

import numpy as np
import polars as pl
import pytest

from yuyan.estimate import surveys
from yuyan.estimate.composite import Component, composite
from yuyan.estimate.registry import parse

CITY = "500000"
RULE = parse("TREND(tolerance=0.002;red=0.975)", "H06")


def _offerings(rows: list[tuple]) -> pl.DataFrame:
    """(year, institution, stratum, satisfied, responses, eligible) per offering."""
    names = ["period_year", "inst_code", "stratum", "x", "n", "frame"]
    frame = pl.DataFrame(rows, schema=names, orient="row").cast(
        dict.fromkeys(["x", "n", "frame"], pl.Float64)
    )
    year = pl.col("period_year")
    return frame.with_columns(period_code=year.cast(pl.String) + "-" + (year + 1).cast(pl.String))


def _row(found: pl.DataFrame, unit: str, year: int) -> dict:
    return found.row(by_predicate=(pl.col("unit_code") == unit) & (pl.col("period_year") == year), named=True)


def test_a_changed_mix_of_answers_is_no_improvement():
    """Required courses 60 %, electives 90 %, as before; only more answers come from electives."""
    rows = [(2023, "a", "req", 30, 50, 100)] * 4 + [(2023, "a", "opt", 45, 50, 100)] * 4
    rows += [(2024, "a", "req", 6, 10, 100)] * 4 + [(2024, "a", "opt", 81, 90, 100)] * 4
    answers = surveys.by_grain(_offerings(rows), CITY)
    crude, best = surveys.ratio(answers), surveys.ratio(answers, is_post_stratified=True)
    assert [_row(crude, "a", y)["rate"] for y in (2023, 2024)] == pytest.approx([0.75, 0.87])
    assert [_row(best, "a", y)["rate"] for y in (2023, 2024)] == pytest.approx([0.75, 0.75])
    assert _row(best, CITY, 2024)["rate"] == pytest.approx(0.75)


def test_intervals_hold_the_spread_between_courses():
    """The same share of the same answers: once all courses alike, once half of them empty of praise."""
    alike = surveys.by_grain(_offerings([(2024, "a", "s", 10, 20, 30)] * 20), CITY)
    apart = surveys.by_grain(
        _offerings([(2024, "a", "s", 20, 20, 30), (2024, "a", "s", 0, 20, 30)] * 10), CITY
    )
    wide, narrow = (surveys.clustered(surveys.ratio(a), "H06", 1).row(0, named=True) for a in (apart, alike))
    assert wide["ucl95"] - wide["lcl95"] > 0.3
    assert narrow["ucl95"] - narrow["lcl95"] == pytest.approx(0, abs=1e-9)


def test_weighted_answers_count_by_their_effective_number():
    """Ten answers of weight 1 and one of weight 10: (20)^2 / (10 + 100) = 3.64 answers."""
    rows = [(2024, "a", "-", 1, 1, 1)] * 10 + [(2024, "a", "-", 0, 10, 10)]
    found = surveys.weighted(surveys.by_grain(_offerings(rows), CITY))
    row = _row(found, "a", 2024)
    assert (row["rate"], row["effective"]) == pytest.approx((0.5, 400 / 110))
    limits = surveys.weighted_intervals(found, "H15").row(0, named=True)
    assert limits["lcl95"] < 0.2
    assert limits["ucl95"] > 0.8


def test_locals_are_easier_to_keep():
    """Both keep 80 % of locals and 20 % of others; one is full of locals. Standardised they are equal."""
    rows = [("institution", "local", "2025", "true", 72, 90), ("institution", "local", "2025", "false", 2, 10),
            ("institution", "open", "2025", "true", 8, 10), ("institution", "open", "2025", "false", 18, 90),
            ("city", CITY, "2025", "true", 80, 100), ("city", CITY, "2025", "false", 20, 100)]  # fmt: skip
    names = ["grain", "unit_code", "period_code", "stratum", "x", "n"]
    frame = pl.DataFrame(rows, schema=names, orient="row").cast({"x": pl.Float64, "n": pl.Float64})
    found = dict(surveys.standardised_by_origin(frame).select("unit_code", "rate").iter_rows())
    assert found == pytest.approx({"local": 0.5, "open": 0.5, CITY: 0.5})


def _series(**by_unit: list[float | None]) -> pl.DataFrame:
    rows = [
        ("institution", unit, f"{2021 + i}-{2022 + i}", 2021 + i, rate, 0.01)
        for unit, series in by_unit.items()
        for i, rate in enumerate(series)
        if rate is not None
    ]
    names = ["grain", "unit_code", "period_code", "period_year", "rate", "error"]
    return pl.DataFrame(rows, schema=names, orient="row")


def test_the_trend_test_of_each_unit_and_year():
    found = surveys.judged(
        _series(
            up=[0.80, 0.82, 0.84], down=[0.80, 0.80, 0.70], chance=[0.80, 0.80, 0.795], gap=[0.80, None, 0.70]
        ),
        "H06",
        RULE,
    )
    status = {(u, y): s for u, y, s in found.select("unit_code", "period_code", "status_code").iter_rows()}
    assert status["up", "2023-2024"] == "GREEN"
    assert status["down", "2023-2024"] == "RED"
    assert status["chance", "2023-2024"] == "AMBER"
    assert ("up", "2021-2022") not in status  # no year before
    assert ("gap", "2023-2024") not in status


def _component(code: str, values: list[float], error: float) -> Component:
    return Component(code, 1.0, 0.1, np.array(values), np.full(len(values), error))


def test_the_composite_has_a_sign_only_when_it_is_sure():
    sure = composite(
        [2024, 2025], [_component("H06", [0.8, 0.9], 0.005), _component("H09", [0.95, 0.96], 0.005)], 2024, 1
    )
    assert (sure[0].value, sure[0].change, sure[0].direction) == (0, None, None)
    assert sure[1].change == pytest.approx((0.1 / 0.1 + 0.01 / 0.1) / 2)
    assert sure[1].direction == "UP"
    assert sure[1].lower < sure[1].change < sure[1].upper
    half = 1.6449 * np.hypot(0.005, 0.005) / 0.1 / np.sqrt(2)
    assert (sure[1].upper - sure[1].lower) / 2 == pytest.approx(half, rel=0.05)
    unsure = composite([2024, 2025], [_component("H06", [0.8, 0.81], 0.05)], 2024, 1)
    assert unsure[1].direction == "UNCERTAIN"
    assert [c["variant_code"] for c in json.loads(sure[1].components)] == ["H06", "H09"]


def test_a_composite_without_its_base_year_is_refused():
    with pytest.raises(ValueError, match="base year 2020"):
        composite([2024], [_component("H06", [0.8], 0.01)], 2020, 1)
