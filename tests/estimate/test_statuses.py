"""Which rule judges a pass rate that has a floor: the floor itself, or three years each below the one before."""

import csv

import polars as pl
import pytest

from yuyan import settings
from yuyan.estimate import statuses

TARGET = 0.98
YEARS = range(2022, 2026)


@pytest.fixture(scope="module")
def rule() -> str:
    """The rule of the registry."""
    with open(settings.SEEDS / "plan" / "indicator.csv", encoding="utf-8", newline="") as file:
        return next(row["city_rule"] for row in csv.DictReader(file) if row["variant_code"] == "H09")


def judged(
    rates: list[float], half_width: float, rule: str, below: float = 0.1
) -> dict[int, tuple[str, str]]:
    """Year -> colour and what decided, of a city with these rates and the half width of their 95 % intervals."""
    key = {
        "variant_code": ["H09"] * len(rates),
        "grain": ["city"] * len(rates),
        "unit_code": ["500000"] * len(rates),
        "period_code": [str(year) for year in YEARS],
    }
    values = pl.DataFrame(
        key
        | {
            "period_year": list(YEARS),
            "value": rates,
            "numerator": rates,
            "denominator": [1.0] * len(rates),
            "target": [TARGET] * len(rates),
            "path": [TARGET] * len(rates),
            "path_status": ["GREEN"] * len(rates),
            "path_reason": pl.Series([None] * len(rates), dtype=pl.String),
            "is_complete": [True] * len(rates),
        }
    )
    ranges = pl.DataFrame(
        key
        | {
            "lcl95": [r - half_width for r in rates],
            "ucl95": [r + half_width for r in rates],
            "probability_below": [below] * len(rates),
        }
    )
    known = pl.DataFrame({"variant_code": ["H09"], "city_rule": [rule], "unit_rule": [""]})
    none = pl.DataFrame(schema=dict.fromkeys(key, pl.String))
    found = statuses.judged(values, known, ranges, none, none, [])
    rows = found.sort("period_code").select("period_code", "status_code", "judged_by").iter_rows()
    return {int(year): (colour, by) for year, colour, by in rows}


@pytest.mark.parametrize(
    ("rates", "half_width", "expected"),
    [
        (
            [0.999, 0.996, 0.992, 0.986],
            0.001,
            ("AMBER", "RUN"),
        ),  # falls for three years, beyond chance, above 98 %
        ([0.999, 0.996, 0.992, 0.986], 0.05, ("GREEN", "FLOOR")),  # the same, which chance could do
        ([0.986, 0.992, 0.996, 0.999], 0.001, ("GREEN", "FLOOR")),  # rises
        ([0.999, 0.986, 0.992, 0.990], 0.001, ("GREEN", "FLOOR")),  # falls once
    ],
)
def test_three_falling_years_are_amber_above_the_floor_as_well(rule, rates, half_width, expected):
    assert judged(rates, half_width, rule)[2025] == expected


def test_a_first_year_has_no_run_and_a_rate_below_the_floor_is_red(rule):
    assert judged([0.999, 0.996, 0.992, 0.986], 0.001, rule)[2023] == ("GREEN", "FLOOR")
    assert judged([0.9, 0.9, 0.9, 0.9], 0.001, rule, below=0.99)[2025] == ("RED", "FLOOR")
