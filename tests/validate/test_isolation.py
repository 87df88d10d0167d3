"""One value stops nobody else: a row that breaks the judgement is a finding of its own, a broken entity a problem."""

import signal

import psycopg
import pytest
from small_world import STUDENT

from yuyan.decisions.problems import PROBLEMS
from yuyan.domain import contracts, keys
from yuyan.validate import docs, isolation, reconcile, record, scope, standing

pytestmark = pytest.mark.database

RULE = "QR.student.birth_year.16"
BREAKS = "case when r.birth_year = 1977 then 1 / (r.birth_year - 1977) > 0 else true end"
"""A rule that raises an error (division by zero) for one birth year."""


@pytest.fixture
def fragile(raw, change_rule):
    """Students under a rule that cannot be evaluated for those born in 1977."""
    change_rule(RULE, assert_=BREAKS, when=None, version=2)
    raw.put_sound(STUDENT)
    return raw


def students(raw, *years: str, source: str = "10611") -> list[dict]:
    """A student per birth year."""
    return [
        raw.version(
            "student",
            f"s{source}{i}",
            source=source,
            student_id=f"10611Z{source}{i}",
            birth_year=y,
            cert_no=f"{source}{i}",
        )
        for i, y in enumerate(years)
    ]


def test_rows_that_break_the_judgement_are_findings_and_all_others_are_judged(fragile):
    fragile.put(*students(fragile, "1990", "1977", "1991", "1992", "1977", "1993"), fragile.version("thesis"))
    summary = fragile.judge("run-1")
    assert summary["student"]["isolated"] == 2
    assert (summary["student"]["judged"], summary["student"]["quarantined"]) == (7, 2)
    assert fragile.quarantine() >= {("student", "s106111"), ("student", "s106114")}
    assert fragile.accepted("student") == ["r1", "s106110", "s106112", "s106113", "s106115"]
    rows = fragile.rows(
        "select src_inst_code, src_record_id, batch_id, row_no, rule_id, observed_value from quality.row_failure "
        "where entity = 'student' and resolved_run_id is null order by 2"
    )
    assert [row[:5] for row in rows] == [
        ("10611", "s106111", "load-2-student-10611", 2, "QR.student.src_record_id.9"),
        ("10611", "s106114", "load-2-student-10611", 5, "QR.student.src_record_id.9"),
    ]
    assert all("22012" in observed and "division by zero" in observed for *_, observed in rows)
    assert fragile.rows(
        "select src_inst_code, entity, state, failed from quality.problem where rule_id = 'QR.student.src_record_id.9'"
    ) == [("10611", "student", "open", 2)]
    ((reason,),) = fragile.rows(
        "select reason from quality.problem_event join quality.problem using (problem_id) where rule_id like '%%id.9'"
    )
    assert reason == (
        "2 行的值使判定中断，已单独隔离，首行是批次 load-2-student-10611 的第 2 行：22012 division by zero"
    )
    assert reconcile.reconcile("run-1") > 0


def test_a_row_that_was_corrected_is_judged_as_usual(fragile):
    fragile.put(*students(fragile, "1977"))
    fragile.judge("run-1")
    fragile.judge("run-2")  # it waits, and the others are judged again at once
    assert fragile.quarantine() == {("student", "s106110")}
    fragile.put(*students(fragile, "1990"))
    summary = fragile.judge("run-3")
    assert "isolated" not in summary["student"]
    assert fragile.quarantine() == set()
    assert fragile.rows(
        "select resolution from quality.row_failure where rule_id like '%%src_record_id.9'"
    ) == [("corrected",)]
    assert fragile.rows("select state from quality.problem where rule_id like '%%src_record_id.9'") == [
        ("fixed",)
    ]


def test_a_version_that_breaks_the_judgement_leaves_the_accepted_one(fragile):
    fragile.put(*students(fragile, "1990"))
    fragile.judge("run-1")
    fragile.put(*students(fragile, "1977"))
    fragile.judge("run-2")
    assert fragile.rows("select birth_year from accepted.student where src_record_id = 's106110'") == [
        (1990,)
    ]
    assert fragile.quarantine() == {("student", "s106110")}


def test_an_institution_none_of_whose_rows_can_be_judged_does_not_stop_another(fragile):
    fragile.put(*students(fragile, *["1977"] * 9, source="10635"), *students(fragile, "1990"))
    fragile.judge("run-1")
    assert fragile.quarantine() == {("student", f"s10635{i}") for i in range(9)}
    assert fragile.accepted("student") == ["r1", "s106110"]


def test_a_table_that_cannot_be_written_is_isolated_as_well(raw):
    """What recording a row raises is that row's, too."""
    raw.put_sound(STUDENT)
    raw.connection.execute("alter table accepted.student add constraint short check (birth_year <> 1977)")
    raw.put(*students(raw, "1990", "1977"))
    summary = raw.judge("run-1")
    assert summary["student"]["isolated"] == 1
    assert raw.accepted("student") == ["r1", "s106110"]


def test_an_entity_that_cannot_be_judged_is_a_problem_and_the_others_are_judged(raw, monkeypatch):
    raw.put_sound([*STUDENT, "supervisor", "course"])
    original = record.judgement

    def broken(connection, catalogue, entity, *rest):
        if entity == "student":
            raise RuntimeError("the disk has a hole")
        return original(connection, catalogue, entity, *rest)

    monkeypatch.setattr(record, "judgement", broken)
    summary = raw.judge("run-1")
    assert summary["student"] == {"error": "RuntimeError: the disk has a hole"}
    assert raw.accepted("student") == []
    assert raw.accepted("course") == ["r1"]
    assert raw.rows("select entity, run_id, error from quality.unjudged") == [
        ("student", "run-1", "RuntimeError: the disk has a hole")
    ]
    ((problem, institution, state),) = raw.rows(
        "select problem_id, src_inst_code, state from quality.problem"
    )
    assert (institution, state) == ("10611", "open")
    ((reason,),) = raw.rows("select reason from quality.problem_event where problem_id = %s", problem)
    for named in ("student", "the disk has a hole", "load-1-student-10611", "1 行"):
        assert named in reason
    assert reconcile.reconcile("run-1") > 0

    monkeypatch.setattr(record, "judgement", original)
    raw.judge("run-2")
    assert raw.accepted("student") == ["r1"]
    assert raw.rows("select * from quality.unjudged") == []
    assert PROBLEMS.get(raw.connection, problem).state == "fixed"


def test_a_full_disk_is_no_rows_matter(raw, monkeypatch):
    """What the server cannot do with many rows and can with few: the entity waits, and no row is blamed."""
    raw.put_sound([*STUDENT, "course"])
    raw.judge("run-1")
    raw.put(*students(raw, "1990", "1991", "1992"))
    original = standing.merge

    def full(connection, work, *rest):
        scoped = connection.execute(f"select count(*) from {work.scope}").fetchone()[0]
        if work.entity == "student" and scoped > 1:
            raise psycopg.errors.DiskFull("could not extend file")
        return original(connection, work, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(standing, "merge", full)
        assert "53100" in raw.judge("run-2")["student"]["error"]
    assert (raw.accepted("student"), raw.quarantine()) == (["r1"], set())
    assert raw.rows("select entity from quality.unjudged") == [("student",)]
    raw.judge("run-3")
    assert len(raw.accepted("student")) == 4
    assert raw.rows("select entity from quality.unjudged") == []


def test_what_was_judged_is_not_waited_for_though_its_page_could_not_be_kept(raw, monkeypatch):
    """Nothing more of the entity comes, and its problem ends all the same."""
    raw.put_sound(["course"])
    with monkeypatch.context() as patch:
        patch.setattr(docs, "keep", lambda *_: 1 / 0)
        assert "error" in raw.judge("run-1")["course"]
    assert raw.rows("select entity from quality.unjudged") == [("course",)]
    raw.judge("run-2")
    assert raw.rows("select entity from quality.unjudged") == []
    assert raw.rows("select state from quality.problem where rule_id = 'QR.course.src_record_id.9'") == [
        ("fixed",)
    ]


def test_a_task_whose_time_is_over_ends_though_the_server_is_busy(raw, monkeypatch):
    raw.put_sound(STUDENT)

    def busy(connection, *_):
        connection.execute("select pg_sleep(300)")

    def over(*_):
        raise TimeoutError("the task's time is over")

    monkeypatch.setattr(standing, "merge", busy)
    before = signal.signal(signal.SIGALRM, over)
    try:
        signal.setitimer(signal.ITIMER_REAL, 3)
        with pytest.raises(TimeoutError):
            raw.judge("run-1")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    sleeping = (
        "select count(*) from pg_stat_activity where state = 'active' and query = 'select pg_sleep(300)'"
    )
    assert raw.rows(sleeping) == [(0,)]


def test_what_arrives_of_one_entity_breaks_no_other(raw, monkeypatch):
    raw.put_sound([*STUDENT, "course"])
    original = scope.arrive

    def broken(connection, catalogue, entity, *rest):
        if entity == "student":
            connection.execute("select 1 / 0")
        return original(connection, catalogue, entity, *rest)

    monkeypatch.setattr(scope, "arrive", broken)
    summary = raw.judge("run-1")
    assert "22012 division by zero" in summary["student"]["error"]
    assert raw.accepted("course") == ["r1"]


def test_a_warehouse_that_is_gone_is_nobodys_row(raw, monkeypatch):
    raw.put_sound(STUDENT)

    def gone(connection, *rest):
        connection.close()
        raise RuntimeError("gone")

    monkeypatch.setattr(scope, "select", gone)
    with pytest.raises(RuntimeError, match="gone"):
        raw.judge("run-1")


def probe(bad: set[int], tried: list | None = None):
    """A judgement that breaks when it has one of these rows."""

    def judge(rows):
        if tried is not None:
            tried.append(len(rows))
        return RuntimeError("x") if bad & set(rows) else None

    return judge


def test_the_search_finds_the_rows_and_no_others_in_few_judgements():
    rows = [("1", i) for i in range(500)] + [("2", i) for i in range(500, 1000)]
    tried: list[int] = []
    assert set(isolation.find(rows, probe({3, 997}, tried))) == {3, 997}
    assert sum(tried) < 4 * len(rows)
    assert isolation.find(rows, probe(set())) == {}


def test_rows_that_break_it_only_together_are_all_kept_out():
    def together(rows):
        return RuntimeError("x") if {1, 4} <= set(rows) else None

    assert set(isolation.find([("1", i) for i in range(6)], together)) == set(range(6))


def test_an_institution_with_very_many_is_kept_out_in_whole_parts(monkeypatch):
    monkeypatch.setattr(isolation, "PROBES", 20)
    rows = [("1", i) for i in range(4096)] + [("2", 5000)]
    found = set(isolation.find(rows, probe(set(range(0, 4096, 2)))))
    assert found >= set(range(0, 4096, 2))
    assert 5000 not in found


@pytest.mark.parametrize(
    ("entity", "field"),
    [("achievement", "canonical_id"), ("commissioned_project", "contract_no_digest"), ("enterprise", "name")],
)
def test_an_over_long_text_that_others_look_up_is_a_finding_by_row(raw, entity, field):
    value = "".join(chr(0x4E00 + i * 7919 % 20000) for i in range(7000))  # does not compress
    raw.put_sound(
        [*STUDENT, "supervisor", "enterprise", "cluster_reference", "achievement", "commissioned_project"]
    )
    raw.put(raw.version(entity, "long", **{contracts.load()[entity].key[0]: "X1", field: value}))
    summary = raw.judge("run-1")
    assert "isolated" not in summary[entity]
    assert f"QR.{entity}.{field}.3" in raw.failures()[entity, "long"]
    assert "r1" in raw.accepted(entity)


def test_keys_and_references_are_bounded_by_their_contract():
    """What an index of the accepted tables holds cannot be too long for it, and nobody may override that."""
    for contract in contracts.load().values():
        for name in {*contract.key, *(n for ref in contract.references for n in ref.fields)}:
            field = contract[name]
            if field.type == "string" and not field.code_set:
                assert (field.max_length or 999) * 4 <= scope.KEY_BYTES or field.pattern, (
                    contract.entity,
                    name,
                )
                assert not field.pattern or not {"*", "+"} & set(field.pattern), (contract.entity, name)


def test_a_shortened_identifier_is_a_finding(raw):
    """The loader keeps the record under its first characters and its digest; validation names it."""
    raw.put_sound(STUDENT)
    raw.put(raw.version("student", keys.bounded("9" * 20_000), student_id="10611X9", cert_no="9"))
    raw.judge("run-1")
    ((record_id, rules),) = [(r, f) for (e, r), f in raw.failures().items() if e == "student"]
    assert rules == {"QR.student.src_record_id.8"}
    assert len(record_id) < keys.LONGEST


def test_different_long_identifiers_stay_different():
    one, other = "a" * 300, "a" * 299 + "b"
    assert keys.bounded(one) != keys.bounded(other)
    assert keys.bounded("a" * keys.LONGEST) == "a" * keys.LONGEST
    assert len(keys.bounded(one)) <= keys.LONGEST
