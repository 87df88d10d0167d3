"""What an override does to rows: they pass, they go back in the run in which it lapses, and their children with them."""

from datetime import date, timedelta

import pytest
from made_up import JW, UNI
from small_world import STUDENT

from support import fill
from yuyan.decisions import overrides, problems
from yuyan.decisions.life_cycle import DecisionError
from yuyan.decisions.overrides import OVERRIDES
from yuyan.decisions.problems import PROBLEMS
from yuyan.domain import catalogue
from yuyan.domain.catalogue import Catalogue, Tolerance
from yuyan.validate import accepted
from yuyan.validate.reconcile import reconcile

pytestmark = pytest.mark.database

RULE = "QR.student.left_on.14"  # a date of leaving, but not gone
ENTITIES = (*STUDENT, "student_status_event")
DAY = fill.AS_OF
LAST = DAY + timedelta(days=30)


@pytest.fixture
def judge(raw):
    """Judge what concerns students, on a day after the first."""

    def run(number: int, day: date = DAY) -> None:
        raw.connection.execute(
            "insert into ops.run (run_id, kind, as_of) values (%s, 'warehouse', %s) on conflict do nothing",
            [f"run-{number}", day],
        )
        raw.judge(f"run-{number}", ENTITIES, day)
        assert reconcile(f"run-{number}") > 0

    return run


@pytest.fixture
def broken(raw, judge):
    """Two students who break the rule, a suspension of the first, and a sound student; judged by run 1."""
    raw.put_sound(STUDENT)
    raw.put(student(raw, 2), student(raw, 3))
    raw.put(
        raw.version(
            "student_status_event", "e2", student_id="10611X2", event_type="11", event_on="2022-03-01"
        )
    )
    judge(1)
    assert raw.accepted("student") == ["r1"]
    assert raw.accepted("student_status_event") == []
    return raw


def student(raw, number: int, **changes: str) -> dict:
    """A student who breaks the rule, unless the changes mend that."""
    return raw.version(
        "student",
        f"r{number}",
        **({"student_id": f"10611X{number}", "cert_no": f"{number}0", "status_code": "10"} | changes),
    )


def problem(raw, rule_id: str = RULE) -> problems.Problem:
    ((number,),) = raw.rows("select problem_id from quality.problem where rule_id = %s", rule_id)
    return PROBLEMS.get(raw.connection, number)


def grant(raw, rows: int = 3) -> overrides.Override:
    number = problem(raw).problem_id
    overrides.request(raw.connection, number, UNI, rows, "历史档案缺失", LAST, DAY)
    return overrides.decide(raw.connection, number, JW, True, "属实", DAY)


def verdict(raw, run: int) -> tuple:
    """(verdict, failed, overridden) of the rule."""
    query = "select verdict, failed, overridden from quality.result where run_id = %s and rule_id = %s"
    (found,) = raw.rows(query, f"run-{run}", RULE)
    return found


def life(raw) -> list[tuple]:
    """(actor, action, to, run) of the problem's steps."""
    return raw.rows(
        "select actor, action, to_state, run_id from quality.problem_event where problem_id = %s order by event_id",
        problem(raw).problem_id,
    )


def changed(monkeypatch, **changes) -> None:
    """Another version of the rule."""
    old = catalogue.load()
    of_student = tuple(
        r.model_copy(update={"version": 2} | changes) if r.rule_id == RULE else r
        for r in old.rules["student"]
    )
    new = Catalogue(old.rules | {"student": of_student}, old.order, old.lookups)
    monkeypatch.setattr(catalogue, "load", lambda: new)


def test_a_rule_broken_beyond_its_tolerance_is_a_problem_until_it_is_mended(broken, judge):
    found = problem(broken)
    assert (found.state, found.failed, found.severity, found.opened_run_id) == ("open", 2, "ERROR", "run-1")
    assert found.causes >= 1
    broken.put(student(broken, 2, status_code="90"), student(broken, 3, status_code="90"))
    judge(2)
    assert problem(broken).state == "fixed"
    broken.put(student(broken, 3))
    judge(3)
    assert (problem(broken).state, problem(broken).failed) == ("open", 1)
    assert life(broken) == [
        ("yuyan", "found", "open", "run-1"),
        ("yuyan", "settled", "fixed", "run-2"),
        ("yuyan", "failed_again", "open", "run-3"),
    ]


def test_approved_rows_pass_in_the_next_run_and_their_children_with_them(broken, judge):
    override = grant(broken)
    assert broken.accepted("student") == ["r1"], "not before a run has judged"
    judge(2)
    assert broken.accepted("student") == ["r1", "r2", "r3"]
    assert broken.accepted("student_status_event") == ["e2"]
    assert broken.quarantine() == set()
    assert verdict(broken, 2) == ("overridden", 2, 2)
    assert sorted(broken.rows("select entity, src_record_id, reason from quality.release")) == [
        ("student", "r2", "override"),
        ("student", "r3", "override"),
        ("student_status_event", "e2", "healed"),
    ]
    assert broken.rows(
        "select src_record_id, override_id from quality.row_failure where resolved_run_id is null order by 1"
    ) == [("r2", override.override_id), ("r3", override.override_id)]
    assert (problem(broken).state, problem(broken).failed) == ("overridden", 2)
    assert accepted.rebuild(broken.connection, "student") == 3


def test_the_next_runs_change_nothing_and_judge_the_rows_again(broken, judge):
    grant(broken)
    judge(2)
    before = life(broken)
    judge(2)
    judge(3, DAY + timedelta(days=1))
    assert verdict(broken, 3) == ("overridden", 2, 2)
    assert broken.accepted("student") == ["r1", "r2", "r3"]
    assert life(broken) == before


def test_a_new_row_within_the_grant_passes_at_once(broken, judge):
    override = grant(broken, rows=3)
    judge(2)
    broken.put(student(broken, 4))
    judge(3)
    assert broken.accepted("student") == ["r1", "r2", "r3", "r4"]
    assert verdict(broken, 3) == ("overridden", 3, 3)
    assert broken.rows("select override_id from quality.row_failure where src_record_id = 'r4'") == [
        (override.override_id,)
    ]
    assert broken.rows("select 1 from quality.release where src_record_id = 'r4'") == []


LAPSES = {
    "expired": ("open", f"已于 {LAST} 到期", lambda raw, patch: None),
    "exceeded": (
        "open",
        "现有 4 行不合格，超过放行的 3 行",
        lambda raw, patch: raw.put(student(raw, 4), student(raw, 5)),
    ),
    "rule_changed": ("open", "规则已由第 1 版改为第 2 版", lambda raw, patch: changed(patch)),
    "fixed": (
        "fixed",
        "已没有不合格的行",
        lambda raw, patch: raw.put(student(raw, 2, status_code="90"), student(raw, 3, status_code="90")),
    ),
}


@pytest.mark.parametrize("kind", LAPSES)
def test_an_override_lapses_by_itself_and_the_rows_go_back_in_the_same_run(broken, judge, kind, monkeypatch):
    end, reason, happens = LAPSES[kind]
    override = grant(broken)
    judge(2, LAST)
    assert broken.accepted("student") == ["r1", "r2", "r3"], "its last day counts"
    happens(broken, monkeypatch)
    judge(3, LAST + timedelta(days=1) if kind == "expired" else LAST)
    lapsed = OVERRIDES.get(broken.connection, override.override_id)
    assert (lapsed.state, lapsed.lapse_reason, lapsed.lapsed_run_id) == ("lapsed", kind, "run-3")
    assert (lapsed.decided_by, lapsed.justification) == (JW, "历史档案缺失"), "what was decided stays"
    assert problem(broken).state == end
    steps = broken.rows(
        "select action, to_state, reason, run_id from quality.problem_event where actor = 'yuyan'"
    )
    assert ("lapsed", "open", reason, "run-3") in steps
    if kind == "fixed":
        assert broken.accepted("student") == ["r1", "r2", "r3"]
        assert broken.quarantine() == set()
        assert steps[-1][:2] == ("settled", "fixed")
    else:
        assert broken.accepted("student") == ["r1"]
        assert broken.accepted("student_status_event") == []
        assert {("student", "r2"), ("student", "r3"), ("student_status_event", "e2")} <= broken.quarantine()
        assert verdict(broken, 3)[0] == "fail"
        assert verdict(broken, 3)[2] == 0
        kept = "select distinct override_id from quality.row_failure where src_record_id in ('r2', 'r3') and rule_id = %s"
        assert broken.rows(kept, RULE) == [(override.override_id,)], "who let it pass stays on record"
        accepted.rebuild(broken.connection, "student")
        assert broken.accepted("student") == ["r1"]


def test_a_withdrawn_override_ends_in_the_next_run(broken, judge):
    override = grant(broken)
    judge(2)
    overrides.withdraw(broken.connection, problem(broken).problem_id, JW, "查明不属实", DAY)
    judge(3)
    assert broken.accepted("student") == ["r1"]
    assert OVERRIDES.get(broken.connection, override.override_id).state == "withdrawn"
    assert problem(broken).state == "open"


def test_a_request_lapses_too_when_its_ground_goes(broken, judge):
    number = problem(broken).problem_id
    override = overrides.request(broken.connection, number, UNI, 2, "历史档案缺失", LAST, DAY)
    judge(2)
    assert OVERRIDES.get(broken.connection, override.override_id).state == "requested"
    broken.put(student(broken, 4))
    judge(3)
    lapsed = OVERRIDES.get(broken.connection, override.override_id)
    assert (lapsed.state, lapsed.lapse_reason, lapsed.decided_by) == ("lapsed", "exceeded", None)
    assert (problem(broken).state, problem(broken).failed) == ("open", 3)


def test_another_rule_that_the_row_breaks_still_keeps_it_out(broken, judge):
    broken.put(student(broken, 3, expected_end_on="2020-07-01"))
    judge(2)
    grant(broken)
    judge(3)
    assert broken.accepted("student") == ["r1", "r2"]
    assert broken.rows("select src_record_id, rule_ids from quality.quarantine where state = 'open'") == [
        ("r3", ["QR.student.expected_end_on.11"])
    ]
    assert verdict(broken, 3) == ("overridden", 2, 2)


def test_an_override_is_of_one_institution(broken, judge):
    grant(broken)
    broken.put(broken.version("student", "r9", source="10635", student_id="10635X9", status_code="10"))
    judge(2)
    assert ("student", "r9") in broken.quarantine()
    assert broken.accepted("student") == ["r1", "r2", "r3"]


def test_the_last_good_version_comes_back_when_the_override_ends(broken, judge):
    broken.put(student(broken, 1, cert_no="2", status_code="30"))
    judge(2)
    assert broken.accepted("student", "status_code") == ["90"]
    grant(broken)
    judge(3)
    assert broken.accepted("student", "status_code") == ["10", "10", "30"]
    judge(4, LAST + timedelta(days=1))
    assert broken.accepted("student", "status_code") == ["90"]
    assert ("student", "r1") in broken.quarantine()


def test_what_a_rule_tolerates_is_no_problem_and_ends_no_override(broken, judge, monkeypatch):
    """A tolerated row stays in quarantine; under an override the rest passes until nothing fails."""
    changed(monkeypatch, tolerance=Tolerance(rows=1))
    judge(2)
    grant(broken)
    broken.put(student(broken, 3, status_code="90"))
    judge(3)
    assert verdict(broken, 3)[0] == "tolerated"
    assert broken.accepted("student") == ["r1", "r2", "r3"]
    assert problem(broken).state == "overridden"
    judge(4, LAST + timedelta(days=1))
    assert broken.accepted("student") == ["r1", "r3"]
    assert problem(broken).state == "fixed"
    assert [step[1:] for step in life(broken)][-2:] == [
        ("lapsed", "open", "run-4"),
        ("settled", "fixed", "run-4"),
    ]
    with pytest.raises(DecisionError, match="现为“已修复”，不能申请豁免"):
        overrides.request(broken.connection, problem(broken).problem_id, UNI, 1, "历史档案缺失", LAST, DAY)


def test_a_last_good_version_that_an_override_lets_pass_goes_when_it_ends(broken, judge):
    """Its failure is settled when the newer version comes; the override still has a say in what is published."""
    grant(broken)
    judge(2)
    broken.put(student(broken, 2, entry_on="坏"))
    for number in (3, 4, 5):
        judge(number)
        assert broken.accepted("student") == ["r1", "r2", "r3"]
    written = broken.rows(
        "select count(*) from quality.row_failure where src_record_id = 'r2' and rule_id = %s and raw_id = "
        "(select raw_id from accepted.student where src_record_id = 'r2')",
        RULE,
    )
    assert written == [(1,)], "once, and not in every run"
    overrides.withdraw(broken.connection, problem(broken).problem_id, JW, "查明不属实", DAY)
    judge(6)
    assert broken.accepted("student") == ["r1"]
    assert ("student", "r2") in broken.quarantine("stood_down")


def test_an_override_lasts_as_long_as_a_last_good_version_needs_it(broken, judge):
    """Both newest versions break another rule; what is published breaks this one, and each record counts once."""
    override = grant(broken, rows=2)
    judge(2)
    broken.put(*(student(broken, n, status_code="90", entry_on="坏") for n in (2, 3)))
    for number in (3, 4):
        judge(number)
        assert broken.accepted("student") == ["r1", "r2", "r3"]
        assert OVERRIDES.get(broken.connection, override.override_id).state == "active"
    broken.put(student(broken, 4))
    judge(5)
    assert OVERRIDES.get(broken.connection, override.override_id).lapse_reason == "exceeded"
    assert broken.accepted("student") == ["r1"]
