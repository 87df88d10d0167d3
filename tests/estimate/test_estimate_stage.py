"""The stage on a tiny hand-made set of indicator values."""

import csv
from datetime import date

import psycopg
import pytest
from psycopg.rows import dict_row
from statsmodels.stats.proportion import proportion_confint

from yuyan import settings
from yuyan.estimate import sources
from yuyan.estimate.run import estimate

pytestmark = pytest.mark.database

AS_OF = date(2026, 10, 15)
TABLES = """
create schema indicators; create schema star; create schema plan;
create table indicators.ind_value (variant_code text, grain text, unit_code text, period_code text, period_year int,
    period_end_on date, value_kind text, numerator float8, denominator float8, value float8,
    definition_version int default 1);
create table indicators.ind_status (variant_code text, grain text, unit_code text, period_code text, target_value float8,
    path_value float8, status_code text, status_reason_code text,
    definition_version int default 1, is_in_force boolean default true);
create table plan.target (variant_code text, doc_version text, due_on date, path_kind text, baseline_year int);
create table plan.indicator (variant_code text, value_kind text, estimator text, adjustment text, comparator text,
    city_rule text, unit_rule text, answers text, value_upper int, sampled_kinds text,
    definition_version int default 1, is_official boolean default true);
create table plan.composite (indicator_code text, variant_code text, weight numeric);
create table plan.milestone (series_code text, doc_version text, name_zh text, year int, level numeric, unit_zh text,
    is_start boolean);
create table star.fct_thesis_sampling (sampling_id int generated always as identity, sampling_year int, inst_code text,
    authority_code text, stratum_code text, degree_level text, degree_type text, sampling_weight numeric(20, 10),
    is_targeted boolean, verdict_code text);
create table star.dim_degree_point (degree_point_id text, inst_code text, degree_level text, degree_type text,
    discipline_code text, is_current boolean);
create table star.dim_course (course_id text, unit_code text, course_rank_code text);
create table star.fct_course_evaluation (offering_id int generated always as identity, instrument_version text,
    academic_year text, inst_code text, course_id text, satisfied_count int, score_sum int, response_count int,
    eligible_count int);
create table star.fct_employer_survey (response_id int generated always as identity, survey_year int, inst_code text,
    overall_score int, design_weight numeric);
create table star.fct_employment (student_id int, inst_code text, grad_year int, point_code text, is_employed boolean,
    is_in_chongqing boolean);
create table star.fct_degree_point_year (calendar_year int, degree_point_id text, degree_level text, degree_type text,
    discipline_code text, is_in_force boolean);
create table star.dim_discipline (discipline_code text, is_h02_excluded boolean);
create table indicators.ind_point_evidence (component_code text, degree_point_id text, evidence_year int,
    evidence_end_on date, is_complete boolean, numerator float8, denominator float8, squares float8);
create table plan.point_component (component_code text, dimension_code text, kind text, weight numeric, pooled_years int,
    minimum_cases numeric, missing_zh text);
create table plan.point_dimension (dimension_code text, minimum_evidence_share numeric, is_applied_only boolean);
create table star.dim_student (student_id int, origin_region_code text, is_current boolean);
insert into plan.target values
    ('H13a', '2026-draft', '2030-12-31', 'LINEAR', 2025), ('H09', '2026-draft', '2030-12-31', 'FLOOR', null),
    ('H03', '2026-draft', '2030-12-31', 'LINEAR', 2025), ('H03', '2025-old', '2029-12-31', 'LINEAR', 2024);
"""
EMPTY = "select variant_code, grain, unit_code, period_code from estimates.indicator_estimate where false"
SHARES = {2021: (30, 100), 2022: (33, 100), 2023: (36, 100), 2024: (39, 100), 2025: (42, 120)}


@pytest.fixture
def found(warehouse) -> dict[tuple, dict]:
    """Key -> row of estimates.indicator_estimate after the stage."""
    with psycopg.connect(warehouse) as connection:
        connection.execute(TABLES)
        _registry(connection)
        for year, (x, n) in SHARES.items():
            _value(connection, "H13a", "city", "500000", year, x, n, target=0.40)
        _value(connection, "H13a", "city", "500000", 2026, 0, 0)  # still running, nobody yet
        _value(connection, "H13a", "institution", "10611", 2025, 12, 12, target=0.40)
        _value(
            connection, "H08", "institution", "10611", 2025, 11, 10.5
        )  # more persons than the average population
        _value(connection, "H06b", "city", "500000", 2025, 430, 100)
        _value(connection, "H15", "city", "500000", 2025, 80.5, 100)
        for year, n in {2022: 90, 2023: 100, 2024: 110, 2025: 120}.items():
            _value(connection, "H03", "city", "500000", year, n, None, target=160)
        # doctors: 20 of 200 sampled, 18 pass; masters of two institutions: 2 + 3 sampled, one fails; a targeted one aside
        _sample(connection, "10611", "D1", "1", "1", 10, 18, 2)
        _sample(connection, "10611", "M1", "2", "1", 20, 2, 0)
        _sample(connection, "10635", "M1b", "2", "1", 30, 2, 1)
        _sample(connection, "10635", "M1b", "2", "1", 30, 0, 5, is_targeted=True)
        _value(connection, "H09", "city", "500000", 2025, 180 + 40 + 60, 200 + 40 + 90, target=0.98)
        _value(connection, "H09", "institution", "10635", 2025, 60, 90, target=0.98)
        _value(connection, "H09a", "city", "500000", 2025, 180, 200)
        _value(connection, "H09c", "city", "500000", 2025, 0, 0)
    counts = estimate("test", AS_OF)
    rows = _rows(warehouse)
    assert estimate("again", AS_OF) == counts
    assert _rows(warehouse) == rows
    assert counts["rows"] == len(rows)
    assert counts["intervals"] == {"JEFFREYS": 6, "STRATIFIED": 3}
    assert (counts["projected"], counts["not_a_rate"]) == (3, 1)
    return rows


def test_ratios_of_counts_have_jeffreys_intervals(found):
    row = found["H13a", "500000", "2024"]
    assert row["estimator"] == "JEFFREYS"
    assert [row["lcl95"], row["ucl95"]] == pytest.approx(proportion_confint(39, 100, method="jeffreys"))
    assert found["H13a", "10611", "2025"]["ucl95"] == 1


def test_what_is_no_rate_has_no_interval(found):
    for absent in (
        ("H13a", "500000", "2026"),
        ("H08", "10611", "2025"),
        ("H06b", "500000", "2025"),
        ("H15", "500000", "2025"),
        ("H09c", "500000", "2025"),
    ):
        assert absent not in found
    assert found["H03", "500000", "2025"]["lcl95"] is None


def test_thesis_sampling_has_stratified_intervals_around_the_weighted_value(found):
    city, doctors, one = (
        found[k] for k in (("H09", "500000", "2025"), ("H09a", "500000", "2025"), ("H09", "10635", "2025"))
    )
    assert {row["estimator"] for row in (city, doctors, one)} == {"STRATIFIED"}
    assert city["lcl95"] < 280 / 330 < city["ucl95"] < 1
    assert one["lcl95"] < 60 / 90 < one["ucl95"]
    assert one["ucl95"] - one["lcl95"] > 2 * (doctors["ucl95"] - doctors["lcl95"])
    wide = proportion_confint(18, 20, method="beta")
    assert doctors["ucl95"] - doctors["lcl95"] == pytest.approx(
        (wide[1] - wide[0]) * (1 - 0.1) ** 0.5, rel=0.05
    )


def test_projection_and_pace_of_the_city(found):
    """A straight line: 90, 100, 110, 120 leads to 170 in 2030, and 160 needs (160 - 120) / 5 a year."""
    row = found["H03", "500000", "2025"]
    assert [row["projected_2030"], row["projected_lcl80"], row["projected_ucl80"]] == pytest.approx([170] * 3)
    assert row["required_pace"] == pytest.approx(8)
    assert ("H03", "500000", "2023") not in found  # two points, and before the base year
    early, late = found["H13a", "500000", "2024"], found["H13a", "500000", "2025"]
    assert early["projected_2030"] == pytest.approx(0.57)  # from the years up to it
    assert early["required_pace"] is None
    assert late["projected_lcl80"] < late["projected_2030"] < late["projected_ucl80"]
    assert late["required_pace"] == pytest.approx((0.40 - 0.35) / 5)
    assert found["H13a", "10611", "2025"]["projected_2030"] is None
    assert found["H09", "500000", "2025"]["required_pace"] is None


def test_milestones_that_ask_for_a_sudden_hurry_raise_an_alarm(found, warehouse):
    """Core courses: 30 % by 2027-12, then 70 % in three years: 2.3 times the pace. The mentors' 100 a year is even."""
    with psycopg.connect(warehouse) as connection:
        rows = connection.execute(
            "select series_code, from_year, required_pace, pace_ratio, straight_level, is_alarm "
            "from estimates.feasibility order by 1, 2"
        ).fetchall()
    assert [(r[0], r[1], r[5]) for r in rows] == [
        ("M06.1", 2024, False),
        ("M06.1", 2027, True),
        ("P10", 2025, False),
        ("P10", 2026, False),
        ("P10", 2027, False),
    ]
    assert rows[1][2:5] == pytest.approx((0.7 / 3, 7 / 3, 1.0))
    assert rows[0][4] == pytest.approx(0.5)


def test_a_reader_keeps_what_it_began_to_read_while_the_stage_runs(found, warehouse):
    """Neither an empty table nor a wait: the stage replaces rows, and readers of an older state still have theirs."""
    with psycopg.connect(warehouse) as reader:
        reader.execute("set transaction isolation level repeatable read")
        reader.execute("select count(*) from estimates.feasibility")
        for _ in range(2):  # the second time while the reader holds the table
            with psycopg.connect(warehouse, options="-c lock_timeout=2s") as writer:
                sources.replace(writer, "indicator_estimate", sources.read(writer, EMPTY))
            (kept,) = reader.execute("select count(*) from estimates.indicator_estimate").fetchone()
            assert kept == len(found)
    assert _rows(warehouse) == {}


def test_two_stages_at_one_time_replace_one_after_the_other(found, warehouse):
    with psycopg.connect(warehouse) as first, psycopg.connect(warehouse) as second:
        second.execute("set lock_timeout = '100ms'")
        sources.replace(first, "indicator_estimate", sources.read(first, EMPTY))
        with pytest.raises(psycopg.errors.LockNotAvailable):
            sources.replace(second, "indicator_estimate", sources.read(second, EMPTY))


def test_every_column_is_described(found, warehouse):
    with psycopg.connect(warehouse) as connection:
        missing = connection.execute(
            "select attrelid::regclass, attname from pg_attribute join pg_class on pg_class.oid = attrelid where "
            "relnamespace = 'estimates'::regnamespace and relkind = 'r' and attnum > 0 "
            "and col_description(attrelid, attnum) is null"
        ).fetchall()
    assert missing == []


def _registry(connection) -> None:
    """How the real registry says that variants are estimated and judged."""
    names = ["variant_code", "value_kind", "estimator", "adjustment", "comparator", "city_rule", "unit_rule",
             "answers", "value_upper", "sampled_kinds"]  # fmt: skip
    with open(settings.SEEDS / "plan" / "indicator.csv", encoding="utf-8", newline="") as file:
        rows = [[row[n] or None for n in names] for row in csv.DictReader(file)]
    connection.cursor().executemany(
        f"insert into plan.indicator values ({', '.join(['%s'] * len(names))})", rows
    )
    names = ["series_code", "doc_version", "name_zh", "year", "level", "unit_zh", "is_start"]
    with open(settings.SEEDS / "plan" / "milestone.csv", encoding="utf-8", newline="") as file:
        rows = [[row[n] for n in names] for row in csv.DictReader(file)]
    connection.cursor().executemany("insert into plan.milestone values (%s, %s, %s, %s, %s, %s, %s)", rows)


def _value(connection, variant, grain, unit, year, numerator, denominator, target=None, reason=None) -> None:
    kind = "count" if denominator is None else "ratio"
    value = numerator if denominator is None else numerator / denominator if denominator else None
    connection.execute(
        "insert into indicators.ind_value values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [variant, grain, unit, str(year), year, date(year, 12, 31), kind, numerator, denominator, value],
    )
    connection.execute(
        "insert into indicators.ind_status values (%s, %s, %s, %s, %s, %s)",
        [variant, grain, unit, str(year), target, reason],
    )


def _sample(connection, inst, stratum, level, kind, weight, passed, failed, is_targeted=False) -> None:
    rows = [
        (2025, inst, "1", stratum, level, kind, weight, is_targeted, v) for v in "1" * passed + "2" * failed
    ]
    connection.cursor().executemany(
        "insert into star.fct_thesis_sampling (sampling_year, inst_code, authority_code, stratum_code, degree_level, "
        "degree_type, sampling_weight, is_targeted, verdict_code) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        rows,
    )


def _rows(warehouse) -> dict[tuple, dict]:
    with psycopg.connect(warehouse, row_factory=dict_row) as connection:
        rows = connection.execute("select * from estimates.indicator_estimate").fetchall()
    return {(r["variant_code"], r["unit_code"], r["period_code"]): r for r in rows}


def test_the_composite_has_the_parts_and_weights_of_the_registry(warehouse):
    with psycopg.connect(warehouse) as connection:
        connection.execute(TABLES)
        _registry(connection)
        connection.execute("insert into plan.composite values ('H16', 'H09', 3), ('H16', 'H13a', 1)")
        for year, (x, n) in SHARES.items():
            for unit, shift in (("city", 0), ("10611", -5), ("10635", 5)):
                for variant in ("H09", "H13a"):
                    grain, code = ("city", "500000") if unit == "city" else ("institution", unit)
                    _value(connection, variant, grain, code, year, x + shift, n, target=0.40)
    estimate("run-1", AS_OF)
    with psycopg.connect(warehouse, row_factory=dict_row) as connection:
        rows = connection.execute("select * from estimates.composite order by period_year").fetchall()
    assert {r["indicator_code"] for r in rows} == {"H16"}
    base = next(r for r in rows if r["period_year"] == 2025)
    assert base["value"] == 0
    parts = {p["variant_code"]: p["weight"] for p in base["components"]}
    assert parts == {"H09": 0.75, "H13a": 0.25}
