"""Results say what stands after a run, row failures have a life, and rules keep their versions."""

from datetime import date, timedelta
from decimal import Decimal

import psycopg
import pytest
from small_world import STUDENT, Raw

from support import fill
from yuyan.domain import catalogue, contracts
from yuyan.domain.catalogue import RuleError, Tolerance
from yuyan.validate import failures, run
from yuyan.warehouse import ddl

pytestmark = pytest.mark.database

LEFT = "QR.student.left_on.12"
BIRTH = "QR.student.birth_year.16"
KEY = "QR.student.key.6"


@pytest.fixture
def students(raw: Raw) -> Raw:
    """Three judged students; of the first nobody knows when it left."""
    raw.put_sound(STUDENT[:-1])
    raw.put(
        raw.version("student", "s1", student_id="10611X1", left_on=None),
        *(raw.version("student", f"s{i}", student_id=f"10611X{i}") for i in (2, 3)),
    )
    raw.judge("run-1")
    return raw


def result(raw: Raw, run_id: str, rule_id: str = LEFT) -> tuple:
    """eligible, failed, new, still, resolved, verdict of a rule at 10611."""
    (row,) = raw.rows(
        "select eligible, failed, new, still, resolved, verdict from quality.result "
        "where run_id = %s and rule_id = %s and src_inst_code = '10611'",
        run_id,
        rule_id,
    )
    return row


def life(raw: Raw, rule_id: str = LEFT) -> list[tuple]:
    """record, since, last, resolved run and resolution of a rule's failures, in the order they were found."""
    return raw.rows(
        "select src_record_id, since_run_id, last_run_id, resolved_run_id, resolution from quality.row_failure "
        "where rule_id = %s order by failure_id",
        rule_id,
    )


def test_a_run_with_few_rows_reports_the_whole_state(students):
    assert result(students, "run-1") == (3, 1, 1, 0, 0, "fail")
    students.put(students.version("student", "s4", student_id="10611X4", left_on=None))
    judged = students.judge("run-2")["student"]["judged"]
    assert judged == 4  # the two that came, and the two others of the same person
    assert result(students, "run-2") == (4, 2, 1, 1, 0, "fail")
    students.put(students.version("student", "s2", student_id="10611X2", deleted=True))
    students.judge("run-3")
    assert result(students, "run-3") == (3, 2, 0, 2, 0, "fail")
    assert life(students) == [("s1", "run-1", "run-3", None, None), ("s4", "run-2", "run-3", None, None)]
    assert set(students.rows("select run_id from quality.current_result where entity = 'student'")) == {
        ("run-3",)
    }
    assert set(students.rows("select run_id from quality.current_result where entity = 'programme'")) == {
        ("run-1",)
    }


def test_a_correction_resolves(students):
    students.put(students.version("student", "s1"))
    students.judge("run-2")
    assert result(students, "run-2") == (3, 0, 0, 0, 1, "pass")
    assert life(students) == [("s1", "run-1", "run-1", "run-2", "corrected")]


def test_a_new_version_that_still_fails_replaces_and_stands_since_the_first(students):
    students.put(students.version("student", "s1", left_on=None, gender_code="2"))
    students.judge("run-2")
    assert result(students, "run-2") == (3, 1, 0, 1, 0, "fail")
    assert life(students) == [
        ("s1", "run-1", "run-1", "run-2", "replaced"),
        ("s1", "run-1", "run-2", None, None),
    ]


def test_a_deletion_resolves_also_when_nothing_is_left(students):
    students.put(
        *(students.version("student", f"s{i}", student_id=f"10611X{i}", deleted=True) for i in (1, 2, 3))
    )
    students.judge("run-2")
    assert result(students, "run-2") == (0, 0, 0, 0, 1, "pass")
    assert life(students) == [("s1", "run-1", "run-1", "run-2", "deleted")]


def test_a_failure_that_ends_and_comes_back_is_another(raw):
    """The event's student arrives, and is deleted again."""
    rule = "QR.student_status_event.student_id.5"
    raw.put_sound([*STUDENT[:-1], "student_status_event"])
    raw.judge("run-1")
    raw.put(raw.version("student"))
    raw.judge("run-2")
    raw.put(raw.version("student", deleted=True))
    raw.judge("run-3")
    assert life(raw, rule) == [
        ("r1", "run-1", "run-1", "run-2", "healed"),
        ("r1", "run-3", "run-3", None, None),
    ]
    assert result(raw, "run-2", rule) == (1, 0, 0, 0, 1, "pass")
    assert result(raw, "run-3", rule) == (1, 1, 1, 0, 0, "fail")


def test_a_last_good_version_that_fails_beside_a_newer_one_is_written_and_does_not_count(raw):
    raw.put_sound(STUDENT)
    raw.judge("run-1")
    raw.put(raw.version("student", left_on=None))
    raw.judge("run-2")
    raw.put(raw.version("programme", deleted=True))
    raw.judge("run-3")
    rule = "QR.student.programme_id.5"
    assert result(raw, "run-3", rule) == (1, 1, 1, 0, 0, "fail")
    assert sorted(life(raw, rule), key=str) == [
        ("r1", "run-3", "run-3", "run-3", "replaced"),
        ("r1", "run-3", "run-3", None, None),
    ]
    assert result(raw, "run-3") == (1, 1, 0, 1, 0, "fail")


def test_a_changed_rule_resolves_what_it_lets_pass_and_the_next_run_changes_nothing(students, change_rule):
    change_rule(LEFT, version=2, when="r.status_code = '99'")
    students.judge("run-2")
    assert life(students) == [("s1", "run-1", "run-1", "run-2", "rule_changed")]
    assert students.accepted("student") == ["s1", "s2", "s3"]
    tables = ("row_failure", "quarantine", "release", "judged", "cause", "result", "rule")
    before = {t: students.rows(f"select * from quality.{t} order by {t}::text") for t in tables}
    assert {s["judged"] for s in students.judge("run-3").values()} == {0}
    assert {t: students.rows(f"select * from quality.{t} order by {t}::text") for t in tables} == before


def test_a_rule_that_is_gone_resolves_its_failures(students, monkeypatch):
    original = catalogue.load()
    rules = tuple(r for r in original.rules["student"] if r.rule_id != LEFT)
    fewer = catalogue.Catalogue(original.rules | {"student": rules}, original.order, original.lookups)
    monkeypatch.setattr(catalogue, "load", lambda: fewer)
    students.judge("run-2")
    assert life(students) == [("s1", "run-1", "run-1", "run-2", "rule_changed")]
    assert students.rows("select version, is_current from quality.rule where rule_id = %s", LEFT) == [
        (1, False)
    ]


def test_a_changed_rule_needs_a_new_version_and_the_old_one_is_kept(students, change_rule):
    change_rule(LEFT, severity="WARN")
    with pytest.raises(
        RuleError, match=r"student\.yml: QR\.student\.left_on\.12: .* since run run-1; set version: 2"
    ):
        students.judge("run-2")
    assert students.rows("select count(*) from quality.result where run_id = 'run-2'") == [(0,)]
    change_rule(LEFT, severity="WARN", version=2)
    students.judge("run-2")
    assert students.rows(
        "select version, severity, first_run_id, is_current from quality.rule where rule_id = %s order by 1",
        LEFT,
    ) == [(1, "ERROR", "run-1", False), (2, "WARN", "run-2", True)]
    assert result(students, "run-2") == (3, 1, 0, 1, 0, "fail")
    assert students.rows(
        "select rule_version from quality.result where run_id = 'run-2' and rule_id = %s", LEFT
    ) == [(2,)]
    assert students.rows("select rule_version, severity from quality.row_failure") == [(2, "WARN")]
    change_rule(LEFT, message="另一种说法")
    students.judge("run-3")
    assert students.rows(
        "select version, message from quality.rule where rule_id = %s and is_current", LEFT
    ) == [(1, "另一种说法")]


def test_a_structural_rule_takes_the_next_version_by_itself(students, change_rule):
    change_rule(KEY, assert_="true")
    students.judge("run-2")
    change_rule(KEY)
    students.judge("run-3")
    assert students.rows(
        "select version, first_run_id, is_current from quality.rule where rule_id = %s order by 1", KEY
    ) == [(1, "run-1", True), (2, "run-2", False)]


def test_outside_its_validity_nothing_is_eligible_and_entering_it_judges_anew(raw, change_rule):
    change_rule(LEFT, version=2, valid_from=fill.AS_OF + timedelta(1), valid_to=fill.AS_OF + timedelta(1))
    raw.put_sound(STUDENT[:-1])
    raw.put(raw.version("student", left_on=None))
    raw.judge("run-1")
    assert raw.failures() == {}
    assert raw.rows("select 1 from quality.result where rule_id = %s", LEFT) == []
    assert raw.judge("run-2", as_of=fill.AS_OF + timedelta(1))["student"]["quarantined"] == 1
    assert result(raw, "run-2") == (1, 1, 1, 0, 0, "fail")
    raw.judge("run-3", as_of=fill.AS_OF + timedelta(2))
    assert life(raw) == [("r1", "run-2", "run-2", "run-3", "rule_changed")]
    assert raw.rows("select reason from quality.release") == [("rule_changed",)]


def test_a_tolerated_rule_says_so_and_still_blocks(students, change_rule):
    change_rule(LEFT, version=2, tolerance=Tolerance(rows=1))
    students.judge("run-2")
    assert result(students, "run-2") == (3, 1, 0, 1, 0, "tolerated")
    assert students.rows(
        "select tolerance_rows, tolerance_pct from quality.result where run_id = 'run-2' and rule_id = %s",
        LEFT,
    ) == [(1, 0)]
    assert students.quarantine() == {("student", "s1")}


@pytest.mark.parametrize(
    ("rows", "pct", "eligible", "failed", "unverifiable", "overridden", "expected"),
    [
        (0, "0", 10, 0, 0, 0, "pass"),
        (0, "0", 0, 0, 0, 0, "pass"),
        (0, "0", 10, 0, 9, 0, "pass"),
        (0, "0", 10, 0, 10, 0, "unverifiable"),
        (0, "0", 10, 1, 9, 0, "fail"),
        (2, "0", 10, 2, 0, 0, "tolerated"),
        (2, "0", 10, 3, 0, 0, "fail"),
        (0, "0.7", 1000, 7, 0, 0, "tolerated"),
        (0, "0.7", 1000, 8, 0, 0, "fail"),
        (9, "0.7", 1000, 8, 0, 0, "tolerated"),
        (0, "0", 10, 3, 0, 3, "overridden"),
        (0, "0", 10, 3, 0, 2, "fail"),
        (1, "0", 10, 3, 0, 2, "overridden"),
    ],
)
def test_verdicts(rows, pct, eligible, failed, unverifiable, overridden, expected):
    tolerance = Tolerance(rows=rows, pct=Decimal(pct))
    assert failures.verdict(tolerance, eligible, failed, unverifiable, overridden) == expected


def test_what_stands_is_made_anew_when_it_was_lost(students):
    """As when somebody has emptied the table."""
    students.connection.execute("truncate judging.standing_student")
    students.put(students.version("student", "s4", student_id="10611X4"))
    assert students.judge("run-2")["student"]["judged"] == 4
    assert result(students, "run-2") == (4, 1, 0, 1, 0, "fail")
    assert life(students) == [("s1", "run-1", "run-2", None, None)]


def test_a_run_killed_after_the_suite_saw_new_verdicts_is_taken_up(students, monkeypatch):
    """Verdicts are in place before the judgement is recorded; killed in between, the run judges the same rows again."""
    students.put(
        students.version("student", "s1"),
        students.version("student", "s2", student_id="10611X2", deleted=True),
    )
    judgement = run.record.judgement
    monkeypatch.setattr(run.record, "judgement", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        students.judge("run-2")
    monkeypatch.setattr(run.record, "judgement", judgement)
    students.judge("run-2")
    assert result(students, "run-2") == (2, 0, 0, 0, 1, "pass")
    assert life(students) == [("s1", "run-1", "run-1", "run-2", "corrected")]


def test_a_warehouse_of_older_results_keeps_them_under_other_names(warehouse):
    with psycopg.connect(warehouse, autocommit=True) as connection:
        connection.execute(
            "drop table quality.row_failure, quality.result, quality.rule, quality.unjudged, "
            "quality.life_cycle_event cascade"
        )
        connection.execute(
            "drop schema changes cascade; drop schema accountability cascade; drop schema allocation cascade; "
            "drop schema disclosure cascade; drop schema access cascade; drop schema published, research cascade; "
            "drop trigger immutable on quality.thinning; "
            "alter table ops.batch drop column file_name; "
            "drop table estimates.point_score, estimates.point_signal cascade"
        )
        connection.execute("delete from ops.migration")  # it is older than migrations are recorded
        for table in ("rule", "result", "row_failure"):
            connection.execute(f"create table quality.{table} (run_id text primary key)")
            connection.execute(f"insert into quality.{table} values ('run-0')")
        ddl.create(connection)
        for table in ("rule_without_versions", "result_of_arrivals", "row_failure_of_arrivals"):
            assert connection.execute(f"select * from quality.{table}").fetchall() == [("run-0",)]
        assert connection.execute("select count(*) from quality.row_failure").fetchone() == (0,)
        ddl.create(connection)


def test_time_breaks_what_held(students, change_rule):
    """Nothing arrives; a rule about the run's date finds accepted rows that have come to break it."""
    change_rule(BIRTH, version=2, assert_="r.expected_end_on >= {as_of} - 900")
    day = date(2026, 12, 17)  # 899 days after 2024-07-01
    students.judge("run-2", as_of=day)
    assert result(students, "run-2", BIRTH) == (3, 0, 0, 0, 0, "pass")
    assert (
        students.judge("run-3", as_of=day + timedelta(1))["student"]["judged"] == 1
    )  # the one in quarantine
    students.judge("run-4", as_of=day + timedelta(2))
    assert result(students, "run-4", BIRTH) == (3, 3, 3, 0, 0, "fail")
    assert students.judge("run-5", as_of=day + timedelta(2))["student"]["judged"] == 1


def test_time_makes_rows_eligible_for_a_rule_about_newest_versions(students, change_rule):
    """Only in the run in which they become so are the accepted rows judged again."""
    nobody = (
        "exists (select 1 from {latest:student} o where o.person_key = r.person_key and o.person_key = '-')"
    )
    change_rule(BIRTH, version=2, when="{as_of} > date '2026-12-17'", assert_=nobody)
    day = date(2026, 12, 16)
    students.judge("run-2", as_of=day)
    judged = [
        students.judge(f"run-{n}", as_of=day + timedelta(n - 2))["student"]["judged"] for n in (3, 4, 5)
    ]
    assert judged == [1, 3, 1], "the one in quarantine, and the others on the day"
    assert result(students, "run-4", BIRTH) == (3, 3, 3, 0, 0, "fail")


def test_a_warning_about_what_was_accepted_ends_on_the_day_after_what_it_warned_of_is(raw):
    """On the day of the change the rule sees the former destination, on the next the present one: nothing is changed."""
    rule = "QR.employment.destination_code.38"
    raw.put_sound(contracts.load())
    raw.judge("run-1")
    raw.put(raw.version("employment", region_code="500101"))
    raw.judge("run-2")
    assert [(last, ended) for _, _, last, ended, _ in life(raw, rule)] == [("run-2", None)]
    assert raw.judge("run-3", as_of=fill.AS_OF + timedelta(1))["employment"]["judged"] == 1
    assert [(last, ended) for _, _, last, ended, _ in life(raw, rule)] == [("run-2", "run-3")]
    assert raw.judge("run-4", as_of=fill.AS_OF + timedelta(2))["employment"]["judged"] == 0
