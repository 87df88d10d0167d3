"""Grades on measures written down by hand, and the measures on results, batches and facts written down by hand."""

import re
from datetime import date

import polars as pl
import psycopg
import pytest
from made_up import DAY, JW, UNI

from yuyan.assess import scorecard
from yuyan.assess.scorecard import CITY, MEASURE
from yuyan.domain import contracts
from yuyan.warehouse import migrate

RUN = "w1"


def card(*measures: tuple) -> dict[tuple, dict]:
    """(source, entity, dimension) -> row, of measures (source, entity, dimension, numerator, denominator)."""
    kinds = [pl.String, pl.String, pl.String, pl.Float64, pl.Float64]
    found = scorecard.graded(
        pl.DataFrame(measures, schema=dict(zip(MEASURE, kinds, strict=True)), orient="row")
    )
    return keyed(found)


def keyed(frame: pl.DataFrame) -> dict[tuple, dict]:
    return {tuple(row[k] for k in MEASURE[:3]): row for row in frame.iter_rows(named=True)}


@pytest.mark.parametrize(
    ("dimension", "numerator", "denominator", "grade"),
    [
        ("D03", 999, 1000, "A"), ("D03", 990, 1000, "B"), ("D03", 950, 1000, "C"), ("D03", 800, 1000, "D"),
        ("D03", 799, 1000, "NCID"), ("D04", 999, 1000, "B"), ("D05", 0, 1000, "A"), ("D05", 40, 1000, "D"),
        ("D05", 60, 1000, "NCID"), ("D08", 0, 0, "A"), ("D08", 4, 5, "B"), ("D08", 0, 9, "C"),
        ("D03", 2, 3, "B"),  # one faulty row, of however few
        ("D03", 1, 3, "NCID"), ("D01", 1, 2, "B"), ("D01", 0, 1, "NCID"),  # nothing ever came
        ("D03", 0, 0, None),
    ],
)  # fmt: skip
def test_limits_are_those_of_the_file_and_one_fault_is_at_worst_b(dimension, numerator, denominator, grade):
    entity = "" if dimension == "D08" else "student"
    assert (
        card(("10611", entity, dimension, numerator, denominator))["10611", entity, dimension]["grade"]
        == grade
    )


def test_what_was_not_measured_is_null_and_no_pass():
    found = card(("10611", "student", "D02", 100, 100))
    missing = found["10611", "student", "D09"]
    assert (missing["value"], missing["grade"]) == (None, None)
    assert found["10611", "student", "D11"]["grade"] == "A"  # of what was assessed
    nothing = card(("10611", "student", "D02", 0, 0))
    assert nothing["10611", "student", "D11"]["grade"] is None


def test_the_city_pools_counts_and_the_last_dimension_is_the_weakest():
    found = card(
        ("10611", "student", "D03", 9990, 10000),
        ("10635", "student", "D03", 5, 10),
        ("10611", "student", "D02", 99, 100),
        ("10611", "thesis", "D03", 100, 100),
    )
    assert found["10635", "student", "D03"]["grade"] == "NCID"
    pooled = found[CITY, "student", "D03"]
    assert (pooled["numerator"], pooled["denominator"], pooled["grade"]) == (9995, 10010, "B")
    assert found[CITY, "", "D03"]["denominator"] == 10110
    assert found["10611", "", "D03"]["numerator"] == 10090
    assert [found[code, "student", "D11"]["grade"] for code in ("10611", "10635", CITY)] == ["B", "NCID", "B"]


def confidence(measures: list[tuple], alarms: list[tuple] = ()) -> dict[tuple, tuple]:
    """(variant, unit) -> (grade, weakest entity, weakest dimension) for H03 of student and H09 of two entities."""
    kinds = [pl.String, pl.String, pl.String, pl.Float64, pl.Float64]
    found = scorecard.graded(
        pl.DataFrame(measures, schema=dict(zip(MEASURE, kinds, strict=True)), orient="row")
    )
    sources = pl.DataFrame(
        [
            ("H03", "H03", "student"), ("H03-FT", "H03", "student"),
            ("H09", "H09", "student"), ("H09", "H09", "thesis_sampling"),
        ],
        schema=["variant_code", "indicator_code", "entity"],
        orient="row",
    )  # fmt: skip
    counted = pl.DataFrame(
        list(alarms),
        schema={
            "src_inst_code": pl.String,
            "indicator_code": pl.String,
            "opened": pl.Int64,
            "explained": pl.Int64,
        },
        orient="row",
    )
    rows = scorecard.confidence(found, sources, [CITY, "10611", "10635"], counted)
    return {(v, u): rest for v, u, *rest in rows.iter_rows()}


def test_an_indicator_has_the_weakest_grade_of_its_sources():
    found = confidence(
        [
            ("10611", "student", "D03", 1000, 1000),
            ("10611", "student", "D02", 985, 1000),
            ("50000", "thesis_sampling", "D03", 96, 100),
        ]
    )
    assert found["H03", "10611"] == ["B", "student", "D02"]
    assert found["H09", "10611"] == ["C", "thesis_sampling", "D03"]  # the commission's own
    assert found["H09", CITY] == ["C", "thesis_sampling", "D03"]
    assert ("H03", "10635") not in found  # nothing assessed, nothing said
    assert found["H09", "10635"] == ["C", "thesis_sampling", "D03"]


def test_an_alarm_on_an_indicator_lowers_that_indicator_until_it_is_explained():
    good = [("10611", "student", "D03", 1000, 1000), ("10635", "student", "D03", 1000, 1000)]
    found = confidence(good, [("10611", "H03", 1, 0), ("10635", "H03", 0, 0)])
    assert found["H03-FT", "10611"] == ["C", "indicator", "D08"]
    assert found["H09", "10611"] == ["A", None, None]
    assert found["H03", "10635"][0] == found["H03", CITY][0] == "A"
    assert confidence(good, [("10611", "H03", 1, 1)])["H03", "10611"][0] == "A"


def test_every_source_entity_and_owner_is_known():
    facts = scorecard._facts()
    assert {row["entity"] for row in facts} <= set(contracts.load())
    assert {row["dimension"] for row in facts} == {"D09", "D10"}
    for row in scorecard._dimensions():
        limits = [float(row[k]) for k in "abcd" if row[k]]
        assert limits == sorted(limits, reverse=row["better"] == "high"), row["dimension_code"]


@pytest.fixture
def measured(connection) -> dict[tuple, dict]:
    """The scorecard of a warehouse in which every figure was put by hand."""
    run(connection, "c0", "collect", date(2026, 8, 1))  # before the window
    run(connection, "c1", "collect", date(2026, 10, 14))
    run(connection, "c2", "collect", DAY)
    run(connection, RUN, "warehouse", DAY)
    for run_id, code, entity, outcome in (
        ("c0", "10611", "student", "failed"), ("c1", "10611", "student", "success"), ("c1", "10611", "", "success"),
        ("c2", "10611", "student", "failed"), ("c2", "10611", "thesis", "skipped"), ("c2", "10611", "", "success"),
        ("c1", "10635", "student", "success"), ("c1", "10635", "", "success"), ("c2", "10635", "", "failed"),
    ):  # fmt: skip
        connection.execute(
            "insert into ops.collection_result (run_id, src_inst_code, entity, outcome) values (%s, %s, %s, %s)",
            [run_id, code, entity, outcome],
        )
    connection.execute(
        "insert into ops.count_check values ('c1', '10611', 'student', 100, 90, 'still_different'), "
        "('c2', '10611', 'student', 100, 95, 'still_different'), ('c2', '10635', 'student', 50, 45, 'full_refresh'), "
        "('c2', '10611', 'thesis', 0, 20, 'still_different')"
    )
    result(connection, "QR.student.entry_on.1", 100, 2, 0)
    result(connection, "QR.student.left_on.12", 40, 0, 1)
    result(connection, "QR.student.degree_point_id.5", 98, 3, 0)
    result(connection, "QR.student.entry_on.2", 100, 50, 0)  # neither presence nor reference
    connection.execute("insert into quality.last_judged values ('student', %s, %s)", [RUN, DAY])
    connection.execute(
        "insert into quality.quarantine select 'student', n, '10611', n, 'b', '{}', s, 'w', 'w' from "
        "(values (1, 'open'), (2, 'open'), (3, 'superseded')) v (n, s)"
    )
    connection.execute(
        "insert into accepted.practice_participation (src_inst_code, src_record_id, raw_id, batch_id, verified) "
        "select '10611', n, n, 'b', n > 1 from generate_series(1, 20) n"
    )
    overrides(connection)
    return keyed(scorecard.assess(connection, RUN, DAY))


def run(connection: psycopg.Connection, run_id: str, kind: str, day: date) -> None:
    connection.execute("insert into ops.run (run_id, kind, as_of) values (%s, %s, %s)", [run_id, kind, day])


def result(
    connection: psycopg.Connection, rule_id: str, eligible: int, failed: int, unverifiable: int
) -> None:
    connection.execute(
        "insert into quality.result (run_id, rule_id, rule_version, src_inst_code, entity, eligible, failed, unverifiable, "
        "tolerance_rows, tolerance_pct, new, still, resolved, verdict) "
        "values (%s, %s, 1, '10611', 'student', %s, %s, %s, 0, 0, %s, 0, 0, 'fail')",
        [RUN, rule_id, eligible, failed, unverifiable, failed],
    )


def overrides(connection: psycopg.Connection) -> None:
    """One active by the commission, one by the university, one expired and not asked for again, one that was."""
    connection.execute(
        "insert into quality.steward values (%s, 'commission', null), (%s, 'university', '10611')", [JW, UNI]
    )
    for number, (state, decider, lapse) in enumerate(
        [("active", JW, None), ("active", UNI, None), ("lapsed", JW, "expired"), ("lapsed", JW, "expired")]
    ):
        (problem,) = connection.execute(
            "insert into quality.problem (rule_id, src_inst_code, entity, severity, state, failed, opened_run_id, "
            "last_run_id) values (%s, '10611', 'student', 'ERROR', %s, 3, 'w', 'w') returning problem_id",
            [f"QR.student.x.{number}", "overridden" if state == "active" or number == 3 else "open"],
        ).fetchone()
        (number_of,) = connection.execute(
            "insert into quality.override (problem_id, rule_id, rule_version, src_inst_code, state, granted_rows, "
            "justification, requested_by, requested_on, expires_on, decided_by, lapse_reason) "
            "values (%s, 'x', 1, '10611', %s, 5, '因', 'someone', %s, '2026-12-31', %s, %s) returning override_id",
            [problem, state, DAY, decider, lapse],
        ).fetchone()
        if number == 0:
            connection.execute(
                "insert into quality.row_failure (entity, raw_id, rule_id, rule_version, src_inst_code, src_record_id, "
                "batch_id, row_no, severity, override_id, since_run_id, last_run_id) "
                "select 'student', 7, rule, 1, '10611', '7', 'b', 1, 'ERROR', %s, 'w', 'w' "
                "from unnest('{a,b}'::text[]) rule",
                [number_of],
            )


@pytest.mark.database
def test_every_dimension_is_counted_from_its_table(measured):
    def of(dimension: str, entity: str = "student", code: str = "10611") -> tuple:
        row = measured[code, entity, dimension]
        return row["numerator"], row["denominator"]

    assert of("D01") == (1, 2)  # in the window: one of two
    assert of("D01", "thesis") == (1, 1)  # a file that had been loaded before was delivered
    assert of("D01", code="10635") == (1, 2)  # the platform was down on the second day
    assert of("D01", "thesis", "10635") == (0, 1)
    assert of("D02") == (
        137,
        140,
    )  # presence, also where a condition asks for it; unverifiable is not filled in
    assert of("D03") == (98, 100)  # two open in quarantine
    assert of("D04") == (95, 98)
    assert of("D05") == (5, 100)  # the newest count; what a full collection put right has gone
    assert of("D05", code="10635") == (0, 50)
    assert of("D05", "thesis") == (
        20,
        20,
    )  # the source has none of what is here: all of it, not twenty times one
    assert of("D07") == (1, 100)  # one row, whatever number of rules
    assert of("D09", "practice_participation") == (19, 20)
    assert measured["10611", "practice_participation", "D10"]["grade"] is None
    assert [measured["10611", "", d]["value"] for d in ("D07a", "D07b", "D07c")] == [2, 1, 0.5]
    assert {measured["10611", "", d]["grade"] for d in ("D06a", "D06b", "D07a", "D07b", "D07c")} == {None}
    assert measured["10611", "", "D06"]["value"] is None
    assert measured["10611", "", "D08"]["value"] is None  # nothing was checked


FROM_HISTORY = """
with first as (
    select distinct on (c.rule_id, c.src_inst_code, c.period_code) c.* from quality.credibility c
    join ops.run r using (run_id) where c.run_id <> %(run)s and c.observed is not null
        and r.started_at <= (select started_at from ops.run where run_id = %(run)s)
    order by c.rule_id, c.src_inst_code, c.period_code, r.started_at
)
select sum(abs(n.observed - f.observed) / case n.rule_id
        when 'QR.indicator.H03.11' then greatest(abs(f.observed), abs(n.observed), 20)
        when 'QR.indicator.H10.11' then greatest(abs(f.observed), abs(n.observed), 5) else 1 end), count(*)
from quality.credibility n join first f using (rule_id, src_inst_code, period_code)
where n.run_id = %(run)s and n.rule_id like 'QR.indicator.%%.11' and n.observed is not null having count(*) > 0
"""
"""D06 by its definition: over every value that was ever assessed before the run; no rate here has an interval."""


def assessed(
    connection: psycopg.Connection,
    run_id: str,
    values: dict[str, float | None],
    period: str = "2025",
    cases: float | None = None,
) -> None:
    connection.execute("delete from quality.credibility where run_id = %s", [run_id])
    for variant, observed in values.items():
        connection.execute(
            "insert into quality.credibility values (%s, %s, '10611', %s, '', %s, %s, 1, 1, false, '', %s)",
            [run_id, f"QR.indicator.{variant}", variant, period, observed, cases],
        )


@pytest.mark.database
def test_a_revision_is_what_became_of_the_first_value(connection):
    first, second = date(2026, 10, 13), date(2026, 10, 14)
    run(connection, "w0", "warehouse", first)
    assessed(connection, "w0", {"H03.11": 99, "H10.11": 50})
    scorecard.assess(connection, "w0", first)
    assessed(connection, "w0", {"H03.11": 100, "H10.11": 50})  # a repeat replaces what the run said
    found = keyed(scorecard.assess(connection, "w0", first))
    assert all(row["value"] is None for key, row in found.items() if key[2] == "D06")

    run(connection, "w1", "warehouse", second)
    assessed(connection, "w1", {"H03.11": 300, "H10.11": 50})
    scorecard.assess(connection, "w1", second)
    run(connection, "w2", "warehouse", DAY)
    assessed(connection, "w2", {"H03.11": 110, "H10.11": 45, "H12.11": 7, "H03.12": 1})
    found = keyed(scorecard.assess(connection, "w2", DAY))
    stability, bias = found["10611", "", "D06"], found["10611", "", "D06a"]
    size = (10 / 110 + 5 / 50) / 2
    assert (stability["value"], stability["denominator"], stability["grade"]) == (pytest.approx(size), 2, "C")
    assert bias["value"] == pytest.approx((10 / 110 - 5 / 50) / 2)
    assert keyed(scorecard.assess(connection, "w2", DAY)) == found


@pytest.mark.database
def test_one_graduate_more_is_no_loss_of_confidence(connection):
    """A rate of 0 of 11 that becomes 1 of 11 stays within its own interval; nothing is divided by 0."""
    for run_id, value, day in (("w0", 0, date(2026, 10, 14)), ("w1", 1 / 11, DAY)):
        run(connection, run_id, "warehouse", day)
        assessed(connection, run_id, {"H14.11": value}, cases=11)
        found = keyed(scorecard.assess(connection, run_id, day))
    for code in ("10611", CITY):
        assert (found[code, "", "D06"]["value"], found[code, "", "D06"]["grade"]) == (0, "A")
        assert found[code, "", "D06a"]["value"] == pytest.approx(1 / 11)
        assert 0.6 < found[code, "", "D06b"]["value"] < 0.8
        assert found[code, "", "D11"]["grade"] == "A"


@pytest.mark.database
def test_a_revision_alone_takes_no_confidence_away(connection):
    """Rates turned over and counts from nothing to many: D at worst, a question to be answered."""
    for run_id, rate, count, day in (("w0", 0.95, 0, date(2026, 10, 14)), ("w1", 0.02, 400, DAY)):
        run(connection, run_id, "warehouse", day)
        assessed(connection, run_id, {"H12.11": rate, "H10.11": count}, cases=500)
        found = keyed(scorecard.assess(connection, run_id, day))
    assert found["10611", "", "D06"]["value"] == pytest.approx((0.93 + 1) / 2)
    assert {found[code, "", d]["grade"] for code in ("10611", CITY) for d in ("D06", "D11")} == {"D"}


@pytest.mark.database
def test_revisions_are_those_that_the_whole_history_gives(connection):
    days = [date(2026, 10, n) for n in (1, 2, 5, 4, 6, 7)]  # one day is caught up with after the next
    for n, day in enumerate(days):
        run_id = f"w{n}"
        run(connection, run_id, "warehouse", day)
        values = {"H03.11": 100 + n * n, "H10.11": None if n == 0 else 50 - n, "H08.12": n}
        assessed(connection, run_id, values | ({"H12.11": n} if n > 2 else {}), "2025" if n < 4 else "2026")
        by_history = connection.execute(FROM_HISTORY, {"run": run_id}).fetchall()
        found = keyed(scorecard.assess(connection, run_id, day))
        row = found.get(("10611", "", "D06"), {"numerator": None, "denominator": None})
        total, size = by_history[0] if by_history else (None, None)
        assert (row["numerator"], row["denominator"]) == (total and pytest.approx(total), size), run_id
    # a warehouse that did not note first values takes them from its history, once; then it needs the history no more
    noted = "select rule_id, src_inst_code, period_code, run_id, observed from quality.first_assessed order by 1, 2, 3"
    before = connection.execute(noted).fetchall()
    connection.execute("delete from quality.first_assessed")
    (structure,) = (m.sql for m in migrate.load() if m.name == "quality")
    (from_history,) = re.findall(r"insert into quality\.first_assessed\n.*?;", structure, re.S)
    connection.execute(from_history)
    assert connection.execute(noted).fetchall() == before
    connection.execute("delete from quality.credibility where run_id <> 'w5'")
    connection.execute(from_history)
    assert connection.execute(noted).fetchall() == before
    assert keyed(scorecard.assess(connection, "w5", days[-1])) == found
