"""The stage on a hand-made set of indicators: alarms become problems, an explanation settles them, grades follow."""

from datetime import date

import indicator_tables
import psycopg
import pytest
from made_up import JW
from psycopg.rows import dict_row

from yuyan import runs
from yuyan.assess import credibility
from yuyan.assess.run import assess
from yuyan.decisions import problems
from yuyan.domain import catalogue, credibility_rules
from yuyan.validate import rulebook

pytestmark = pytest.mark.database

AS_OF = date(2026, 10, 15)
NEXT_YEAR = date(2027, 10, 15)
SOUND, BROKEN = "10611", "10635"
ROWS = """
insert into plan.indicator values ('H03', 'H03', 'student'), ('H08', 'H08', 'practice_participation;student'),
    ('H12c', 'H12', 'thesis');
-- another definition of the same variant, to be compared with and not to be checked
insert into plan.indicator values ('H03', 'H03', 'student', 2, false);
insert into indicators.ind_value select 'H03', 2, 'institution', '10611', year::text, year, true, 9 * year, null, 9 * year
    from generate_series(2016, 2026) year where year % 2 = 0;
insert into indicators.ind_unit values ('city', '500000'), ('institution', '10611'), ('institution', '10635'),
    ('degree_point', '10611-2-1-0812');
-- of both institutions 100 in study and 30 entrants a year; in 2026 one reports 100 leavers fewer than left
insert into star.fct_enrolment_census select code, year from unnest('{10611,10635}'::text[]) code,
    generate_series(2025, 2026) year, generate_series(1, 200) where code = '10611' or year = 2025;
insert into star.fct_enrolment_census select '10635', 2026 from generate_series(1, 100);
insert into star.fct_admission select code, 2026, n <= 60, '2', '1', '1', '01' from unnest('{10611,10635}'::text[]) code,
    generate_series(1, 70) n;
insert into star.fct_student_status_event select code, '61', '2026-06-30', '2' from unnest('{10611,10635}'::text[]) code,
    generate_series(1, 60);
insert into star.fct_student_status_event values ('10611', '61', '2025-09-30', '2'), ('10611', '06', '2026-06-30', '2');
-- opened theses: from half and half to all of one kind, and no change
insert into star.fct_thesis select code, year,
        case when n % 2 = 0 or (code = '10635' and year = '2025-2026') then '16' else '06' end
    from unnest('{10611,10635}'::text[]) code, unnest('{2024-2025,2025-2026,2026-2027}'::text[]) year,
        generate_series(1, 100) n;
-- days of practice: every length once, or 30 days for half of them
insert into star.fct_practice_participation select '10611', '2025-2026', n from generate_series(1, 90) n;
insert into star.fct_practice_participation select '10635', '2025-2026', case when n <= 45 then 30 else n end
    from generate_series(1, 90) n;
"""


@pytest.fixture
def indicators(warehouse) -> str:
    """A warehouse with two institutions: one sound, one whose H03 halves, whose topics change and whose days heap."""
    with psycopg.connect(warehouse) as connection:
        connection.execute(indicator_tables.CREATE)
        connection.execute(ROWS)
        for code in (SOUND, BROKEN):
            for year in range(2016, 2028):
                value = 100 if code == BROKEN and year == 2026 else 200
                _value(connection, "H03", code, str(year), year, value, None, value)
                _value(connection, "H12c", code, f"{year - 1}-{year}", year, 20, 100, 0.2)
                _value(connection, "H08", code, f"{year - 1}-{year}", year, 30, 100, 0.3)
        _value(connection, "H03", "500000", "2026", 2026, 300, None, 300, grain="city")
        rulebook.register(connection, catalogue.load(), "w1")
        for entity, rule_id in (("student", "QR.student.entry_on.1"), ("thesis", "QR.thesis.opened_on.1")):
            for code in (SOUND, BROKEN):
                connection.execute(
                    "insert into quality.result (run_id, rule_id, rule_version, src_inst_code, entity, eligible, failed, "
                    "unverifiable, tolerance_rows, tolerance_pct, new, still, resolved, verdict) "
                    "values ('w1', %s, 1, %s, %s, 200, 0, 0, 0, 0, 0, 0, 0, 'pass')",
                    [rule_id, code, entity],
                )
            connection.execute("insert into quality.last_judged values (%s, 'w1', %s)", [entity, AS_OF])
    runs.open_run("w1", "warehouse", AS_OF)
    return warehouse


def _value(
    connection, variant, unit, period, year, numerator, denominator, value, grain="institution"
) -> None:
    connection.execute(
        "insert into indicators.ind_value values (%s, 1, %s, %s, %s, %s, %s, %s, %s, %s)",
        [variant, grain, unit, period, year, year <= 2026, numerator, denominator, value],
    )


def _rows(dsn: str, query: str) -> list[dict]:
    with psycopg.connect(dsn, row_factory=dict_row) as connection:
        return connection.execute(query).fetchall()


ALARMS = {
    "QR.indicator.H03.11",
    "QR.indicator.student_flow.13",
    "QR.indicator.topic_source.14",
    "QR.indicator.practice_days.15",
    "QR.indicator.practice_days.16",
    "QR.indicator.practice_days.17",
}


def test_alarms_are_problems_to_be_explained_and_grades_follow(indicators):
    assert assess("w1", AS_OF)["alarms"] == len(ALARMS)
    checked = _rows(indicators, "select * from quality.credibility")
    assert {r["rule_id"] for r in checked if r["is_alarm"]} == ALARMS
    assert {r["src_inst_code"] for r in checked if r["is_alarm"]} == {BROKEN}
    assert {r["rule_id"] for r in checked if r["src_inst_code"] == SOUND and r["threshold"]} >= ALARMS

    stock = next(r for r in checked if r["rule_id"] == "QR.indicator.student_flow.13" and r["is_alarm"])
    assert (stock["observed"], stock["expected"], stock["threshold"], stock["period_code"]) == (
        100,
        200,
        3,
        "2026",
    )
    shift = next(r for r in checked if r["rule_id"] == "QR.indicator.topic_source.14" and r["is_alarm"])
    assert (shift["observed"], shift["period_code"], shift["category"]) == (0.5, "2025-2026", "topic_source")
    heap = next(r for r in checked if r["rule_id"] == "QR.indicator.practice_days.17" and r["is_alarm"])
    assert heap["explanation"] == "2025-2026 期有 52.2% 落在其上；预期 3.3%，容许多出 6.7%"

    opened = _rows(
        indicators, "select rule_id, src_inst_code, entity, severity, state, failed from quality.problem"
    )
    assert {(p["rule_id"], p["src_inst_code"]) for p in opened} == {(rule_id, BROKEN) for rule_id in ALARMS}
    assert {(p["entity"], p["severity"], p["state"], p["failed"]) for p in opened} == {
        ("indicator", "WARN", "open", 1)
    }
    assert _grades(indicators, "w1") == {
        ("H03", "500000"): "A", ("H03", SOUND): "A", ("H03", BROKEN): "C", ("H12c", "500000"): "A", ("H12c", SOUND): "A",
        ("H12c", BROKEN): "C", ("H08", "500000"): "A", ("H08", SOUND): "A", ("H08", BROKEN): "C",
    }  # fmt: skip

    with psycopg.connect(indicators) as connection:
        numbers = [n for (n,) in connection.execute("select problem_id from quality.problem order by 1")]
        for number in numbers:
            problems.explain(connection, number, JW, "学院划转，已核实", AS_OF)
    runs.open_run("w2", "warehouse", AS_OF)
    assess("w2", AS_OF)
    assert _grades(indicators, "w2")["H03", BROKEN] == "A"
    d08 = _rows(indicators, "select numerator, denominator from quality.scorecard where run_id = 'w2' and dimension = 'D08' "
                f"and src_inst_code = '{BROKEN}'")  # fmt: skip
    assert d08 == [{"numerator": 6, "denominator": 6}]
    assert (
        len(_rows(indicators, "select * from quality.scorecard where dimension = 'D11' and run_id = 'w2'"))
        == 9
    )


def test_a_corrected_value_settles_its_problem_and_a_repeat_changes_nothing(indicators):
    first = assess("w1", AS_OF)
    tables = ("credibility", "scorecard", "indicator_confidence", "problem", "problem_event")
    before = {t: _rows(indicators, f"select * from quality.{t} order by 1, 2, 3, 4, 5, 6") for t in tables}
    assert assess("w1", AS_OF) == first | {"problems": {}}
    assert {
        t: _rows(indicators, f"select * from quality.{t} order by 1, 2, 3, 4, 5, 6") for t in tables
    } == before
    with psycopg.connect(indicators) as connection:
        connection.execute(
            "update indicators.ind_value set value = 200, numerator = 200 where variant_code = 'H03' and period_year = 2026"
        )
    runs.open_run("w2", "warehouse", AS_OF)
    assert assess("w2", AS_OF)["problems"] == {"settled": 1}
    assert _rows(indicators, "select rule_id, fixed_run_id from quality.problem where state = 'fixed'") == [
        {"rule_id": "QR.indicator.H03.11", "fixed_run_id": "w2"}
    ]
    # what became of the value first published: H03 from 100 to 200, half of it new; H08 and H12 as they were
    revised = _rows(indicators, "select numerator from quality.scorecard where run_id = 'w2' and dimension = 'D06' "
                    f"and src_inst_code = '{BROKEN}'")  # fmt: skip
    assert revised == [{"numerator": 0.5}]


def test_an_explanation_covers_its_own_period_only(indicators):
    """H03 halves in 2026, which is explained; in 2027 it halves again, which nobody has explained."""
    assess("w1", AS_OF)
    with psycopg.connect(indicators) as connection:
        (number,) = connection.execute(
            "select problem_id from quality.problem where rule_id = 'QR.indicator.H03.11'"
        ).fetchone()
        problems.explain(connection, number, JW, "学院划转，已核实", AS_OF)
    runs.open_run("w2", "warehouse", AS_OF)
    assert assess("w2", AS_OF)["problems"] == {}

    with psycopg.connect(indicators) as connection:
        connection.execute(
            "update indicators.ind_value set is_complete = true where variant_code = 'H03' and period_year = 2027"
        )
        connection.execute(
            "update indicators.ind_value set value = 50, numerator = 50 "
            "where variant_code = 'H03' and period_year = 2027 and unit_code = %s",
            [BROKEN],
        )
    runs.open_run("w3", "warehouse", NEXT_YEAR)
    again = assess("w3", NEXT_YEAR)["problems"]
    assert again["unexplained"] == 1
    assert _problem(indicators, "QR.indicator.H03.11") == ("open", 1, "w3")
    (event,) = _rows(
        indicators, f"select reason from quality.problem_event where problem_id = {number} and run_id = 'w3'"
    )
    assert event["reason"] == "2027 期又有 1 个警报，先前的说明不涵盖这一期"
    assert assess("w3", NEXT_YEAR)["problems"] == {}

    with psycopg.connect(indicators) as connection:
        problems.explain(connection, number, JW, "再次划转，已核实", NEXT_YEAR)
    runs.open_run("w4", "warehouse", NEXT_YEAR)
    assert "unexplained" not in assess("w4", NEXT_YEAR)["problems"]
    assert _problem(indicators, "QR.indicator.H03.11")[0] == "known"


@pytest.mark.parametrize(
    "lost",
    [
        "delete from indicators.ind_value where variant_code = 'H03' and unit_code = '10635'",  # no row any more
        "update indicators.ind_value set value = null where variant_code = 'H03' and unit_code = '10635' "
        "and period_year = 2025",  # nothing to compare with: the threshold is NULL
    ],
)
def test_what_could_not_be_judged_is_not_fixed(indicators, lost):
    assess("w1", AS_OF)
    with psycopg.connect(indicators) as connection:
        connection.execute(lost)
    runs.open_run("w2", "warehouse", AS_OF)
    assess("w2", AS_OF)
    assert _problem(indicators, "QR.indicator.H03.11") == ("open", 1, "w1")


def test_the_problem_of_a_check_that_is_gone_is_settled(indicators, monkeypatch):
    assess("w1", AS_OF)
    left = tuple(c for c in credibility_rules.load() if c.rule_id != "QR.indicator.H03.11")
    for module in (credibility_rules, credibility):
        monkeypatch.setattr(module, "load", lambda: left)
    runs.open_run("w2", "warehouse", AS_OF)
    assert assess("w2", AS_OF)["problems"] == {"settled": 1}
    assert _problem(indicators, "QR.indicator.H03.11")[0] == "fixed"


def test_a_grade_is_of_the_sources_of_the_definition_in_force(indicators):
    """The definition of H03 that is not in force counts another entity, which has no sound row."""
    with psycopg.connect(indicators) as connection:
        connection.execute(
            "update plan.indicator set source_entities = 'thesis' where variant_code = 'H03' and definition_version = 2"
        )
        connection.execute(
            "update quality.result set failed = eligible, new = eligible, verdict = 'fail' where entity = 'thesis'"
        )
    assess("w1", AS_OF)
    grades = _grades(indicators, "w1")
    assert grades["H12c", SOUND] == "NCID"
    assert grades["H03", SOUND] == "A"


def _problem(dsn: str, rule_id: str) -> tuple[str, int, str]:
    """State, alarms and the run that found them last."""
    (row,) = _rows(dsn, f"select state, failed, last_run_id from quality.problem where rule_id = '{rule_id}'")
    return tuple(row.values())


def _grades(dsn: str, run_id: str) -> dict[tuple[str, str], str]:
    rows = _rows(dsn, f"select * from quality.indicator_confidence where run_id = '{run_id}'")
    return {(r["variant_code"], r["unit_code"]): r["grade"] for r in rows}


def test_checks_are_rules_of_the_catalogue():
    rules = credibility_rules.rules()
    assert len({r.rule_id for r in rules}) == len(rules)
    assert {c.kind.check for c in credibility_rules.load()} == {*credibility._KINDS, *credibility._RUNNING}
    for check, rule in zip(credibility_rules.load(), rules, strict=True):
        assert rule.is_business, rule.rule_id
        assert rule.rule_id.startswith("QR.indicator."), rule.rule_id
        assert check.provenance, rule.rule_id
        assert check.label in rule.message, rule.rule_id
        assert set(rule.indicators) <= set(catalogue.indicator_entities()), rule.rule_id


def test_a_bad_row_is_named_with_its_line(tmp_path, monkeypatch):
    for name in ("credibility", "credibility_check"):
        text = (credibility_rules.settings.EXPECTATIONS / f"{name}.csv").read_text(encoding="utf-8")
        (tmp_path / f"{name}.csv").write_text(
            text.replace("yearly_change,H02b", "yearly_chance,H02b"), encoding="utf-8"
        )
    monkeypatch.setattr(credibility_rules.settings, "EXPECTATIONS", tmp_path)
    credibility_rules.load.cache_clear()
    try:
        with pytest.raises(
            ValueError, match=r"credibility\.csv:3: QR\.indicator\.H02b\.11: KeyError\('yearly_chance'\)"
        ):
            credibility_rules.load()
    finally:
        credibility_rules.load.cache_clear()
