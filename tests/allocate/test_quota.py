"""Moved places, followed to 2030: a pipeline small enough to know the answer, then the simulated city."""

from dataclasses import replace

import numpy as np
import psycopg
import pytest

from yuyan.allocate import quota, quota_run
from yuyan.allocate.quota import Move, Pipeline

CERTAIN = 1e9
"""So many past students that the half case added to each chance does not count."""


def exits(longest: int, at: int) -> np.ndarray:
    """Everybody leaves with a degree at one offset."""
    found = np.zeros((longest + 1, 2))
    found[at, 1] = CERTAIN
    return found


@pytest.fixture
def pipeline() -> Pipeline:
    """Two disciplines; a master's degree takes three years, a doctorate four. 0812 serves cluster L01, 0301 none."""
    return Pipeline(
        base_year=2026,
        stock={
            ("0301", "2"): np.array([100, 90, 80, 0, 0]),
            ("0812", "2"): np.array([60, 50, 40, 0, 0]),
            ("0812", "1"): np.array([10, 10, 10, 10, 0, 0, 0, 0]),
        },
        exits={"1": exits(8, 4), "2": exits(5, 3)},
        matched={"0301": False, "0812": True},
        parts={"0812": {"L01": 1.0}},
        demand={"L01": 30.0, "L02": 10.0},
    )


def found(pipeline: Pipeline, *moves: Move, draws: int = 400, **given) -> dict:
    outcomes = quota.simulate(pipeline, moves, draws, seed=1, **given)
    return {(o.measure_code, o.item_code, o.year): o for o in outcomes}


def test_without_moves_the_cohorts_run_through(pipeline):
    """In 2027 the 80 + 40 masters and 10 doctors who are furthest have gone, and as many as last year came."""
    told = found(pipeline)
    assert told["in_study", "ALL", 2027].baseline == pytest.approx(460 - 130 + 170, abs=5)
    assert told["doctoral_share", "ALL", 2027].baseline == pytest.approx(40 / 500, abs=0.01)
    assert told["supply", "L01", 2027].baseline == pytest.approx(40 + 10, abs=0.5)
    assert told["supply", "L01", 2028].baseline == pytest.approx(50 + 10, abs=0.5)
    assert all(o.difference == o.difference_low == o.difference_high == 0 for o in told.values())
    assert {year for _, _, year in told} == {2027, 2028, 2029, 2030}


def test_a_move_within_a_level_changes_the_match_and_not_the_size(pipeline):
    told = found(pipeline, Move("0301", "2", "0812", "2", 30, 2027))
    for year in range(2027, 2031):
        assert told["in_study", "ALL", year].difference == 0
        assert told["match", "ALL", year].difference_low > 0
    assert told["supply", "L01", 2029].difference == 0  # the first who were moved are still in study
    assert told["supply", "L01", 2030].difference == pytest.approx(30, abs=3)
    assert told["supply", "L01", 2030].scenario == pytest.approx(60 + 30 + 10, abs=12)


def test_a_move_to_doctoral_places_adds_a_year_of_study(pipeline):
    told = found(pipeline, Move("0812", "2", "0812", "1", 20, 2027))
    assert told["in_study", "ALL", 2029].difference == 0
    assert told["in_study", "ALL", 2030].difference == pytest.approx(
        20, abs=3
    )  # the master's would have left
    assert told["doctoral_share", "ALL", 2030].difference == pytest.approx(80 / 500, abs=0.03)


def test_a_move_from_a_later_year_changes_nothing_before(pipeline):
    told = found(pipeline, Move("0301", "2", "0812", "2", 30, 2029))
    for year in (2027, 2028):
        assert told["match", "ALL", year].difference_high == told["match", "ALL", year].difference_low == 0
    assert told["match", "ALL", 2029].difference > 0


def test_intervals_are_those_of_chance(pipeline):
    """Entrants are Poisson: in 2027 the interval is that of 170 newcomers, 1.645 standard deviations to either side."""
    one = found(pipeline, draws=4000)["in_study", "ALL", 2027]
    assert (one.baseline_high - one.baseline_low) / 2 == pytest.approx(1.645 * 170**0.5, rel=0.08)


def test_fewer_past_students_give_wider_intervals(pipeline):
    few = replace(pipeline, exits={level: e / CERTAIN * 8 for level, e in pipeline.exits.items()})
    widths = [
        o.baseline_high - o.baseline_low for o in (found(p)["in_study", "ALL", 2030] for p in (pipeline, few))
    ]
    assert widths[1] > widths[0]


def test_fill_scales_what_arrives(pipeline):
    told = found(pipeline, Move("0301", "2", "0812", "2", 40, 2027), fill=0.5)
    assert told["supply", "L01", 2030].difference == pytest.approx(20, abs=3)


@pytest.mark.parametrize(
    ("move", "said"),
    [
        (Move("0301", "2", "0812", "2", 0, 2027), "应为正整数"),
        (Move("0301", "2", "0812", "2", 101, 2027), "最近一年入学 100 人，移不出 101 人"),
        (Move("9999", "2", "0812", "2", 1, 2027), "学科 9999 层次 2 没有在学研究生"),
        (Move("0301", "2", "9999", "2", 1, 2027), "学科 9999 在全市没有在学研究生"),
        (Move("0301", "3", "0812", "2", 1, 2027), "层次 3 不是"),
        (Move("0301", "2", "0812", "2", 1, 2026), "应在 2027 与 2030 之间"),
        (Move("0301", "2", "0812", "2", 1, 2031), "应在 2027 与 2030 之间"),
    ],
)
def test_an_impossible_move_is_refused_with_what_is_possible(pipeline, move, said):
    with pytest.raises(quota.QuotaError, match=said):
        quota.simulate(pipeline, [move], 10, 1)


def test_two_moves_together_cannot_take_more_than_there_is(pipeline):
    moves = [Move("0301", "2", "0812", "2", 60, 2027)] * 2
    with pytest.raises(quota.QuotaError, match="移不出 120 人"):
        quota.simulate(pipeline, moves, 10, 1)


@pytest.mark.database
def test_a_scenario_of_the_city_is_written_once_and_read_from_the_mart(city):
    with psycopg.connect(city) as connection:
        day = quota_run.sources.as_of(connection)
        pipeline = quota_run.read(connection, day)
        counted = connection.execute(
            "select count(distinct student_id) from star.fct_enrolment_census "
            "where census_year = %s and discipline_code is not null",
            [pipeline.base_year],
        ).fetchone()
    assert sum(s.sum() for s in pipeline.stock.values()) == counted[0]
    source = max((c for c in pipeline.stock if c[1] == "2"), key=lambda c: pipeline.stock[c][0])
    moves = [Move(*source, "0812", "2", 2, pipeline.base_year + 1)]
    first, second = (quota_run.scenario(city, moves, draws=200) for _ in range(2))
    assert (first["is_new"], second["is_new"]) == (True, False)
    assert first["outcomes"] == second["outcomes"]
    with psycopg.connect(city) as connection:
        written = connection.execute("select count(*) from marts.quota_scenario").fetchone()
        assert written == (len(first["outcomes"]),)
        assumptions = connection.execute("select assumptions from marts.quota_scenario limit 1").fetchone()[0]
        assert len(assumptions) == len(quota.ASSUMPTIONS) + 1
