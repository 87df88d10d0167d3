"""Every way out of quarantine leaves a record: which row, why, in which run, and what replaced it."""

import pytest
from small_world import STUDENT

from yuyan.domain import catalogue

pytestmark = pytest.mark.database

PARENT, LEFT, ENROLLED = (
    "QR.student_status_event.student_id.5",
    "QR.student.left_on.12",
    "QR.student.left_on.14",
)


def test_the_ways_out_of_quarantine(raw, monkeypatch):
    raw.put_sound(STUDENT[:-1])
    raw.put(
        raw.version("student_status_event"),
        raw.version("student", "r2", student_id="10611X2", left_on=None),
        raw.version("student", "r3", student_id="10611X3", left_on=None),
        raw.version("student", "r4", student_id="10611X4", status_code="10"),
        raw.version("student", "r5", student_id="10611X5", left_on=None),
    )
    raw.judge("run-1")
    open_rows = (
        "select entity, src_record_id, rule_ids, since_run_id from quality.quarantine where state = 'open' "
        "order by 1, 2"
    )
    assert raw.rows(open_rows) == [
        ("student", "r2", [LEFT], "run-1"),
        ("student", "r3", [LEFT], "run-1"),
        ("student", "r4", [ENROLLED], "run-1"),
        ("student", "r5", [LEFT], "run-1"),
        ("student_status_event", "r1", [PARENT], "run-1"),
    ]
    assert raw.rows("select * from quality.quarantine_exit") == []

    raw.put(raw.version("student"))  # the parent arrives
    raw.put(
        raw.version("student", "r2", student_id="10611X2"),  # the source corrects,
        raw.version("student", "r3", student_id="10611X3", deleted=True),  # deletes,
        raw.version(
            "student", "r5", student_id="10611X5", gender_code="8"
        ),  # or sends something else that is wrong
    )
    raw.judge("run-2")
    _soften(monkeypatch)
    raw.judge("run-3")  # a new version of the rule accepts
    exits = raw.rows(
        "select x.entity, x.src_record_id, x.rule_ids, x.since_run_id, x.left_run_id, x.reason, "
        "(select count(*) from ops.batch b where b.batch_id = x.by_batch_id) from quality.quarantine_exit x order by 1, 2"
    )
    assert exits == [
        ("student", "r2", [LEFT], "run-1", "load-4", "replaced", 1),
        ("student", "r3", [LEFT], "run-1", "load-4", "deleted", 1),
        ("student", "r4", [ENROLLED], "run-1", "run-3", "rule_changed", 0),
        ("student", "r5", [LEFT], "run-1", "load-4", "replaced", 1),
        ("student_status_event", "r1", [PARENT], "run-1", "run-2", "healed", 0),
    ]
    assert raw.rows("select src_record_id, released_run_id, reason from quality.release order by 1") == [
        ("r1", "run-2", "healed"),
        ("r4", "run-3", "rule_changed"),
    ]
    assert raw.rows(open_rows) == [
        ("student", "r5", ["QR.student.gender_code.4"], "run-2"),
    ]
    assert raw.accepted("student") == ["r1", "r2", "r4"]
    assert raw.accepted("student_status_event") == ["r1"]
    assert raw.rows(
        "select src_record_id, rule_id, resolution, resolved_run_id from quality.row_failure order by 1, 2, 3"
    ) == [
        ("r1", PARENT, "healed", "run-2"),
        ("r2", LEFT, "corrected", "run-2"),
        ("r3", LEFT, "deleted", "run-2"),
        ("r4", ENROLLED, None, None),  # stands as a warning, which keeps nothing out
        ("r5", "QR.student.gender_code.4", None, None),
        ("r5", LEFT, "corrected", "run-2"),
    ]
    assert raw.rows("select src_record_id, record_key, reason, run_id, is_gone from quality.deletion") == [
        ("r3", "10611X3", "source", "load-4", True)
    ]


def test_a_deletion_that_was_taken_back_and_a_changed_key_are_told(raw):
    raw.put(raw.version("student"))
    raw.put(raw.version("student", deleted=True))
    raw.put(raw.version("student"))
    ((batch,),) = raw.rows("select batch_id from ops.batch where run_id = 'load-3'")
    raw.connection.execute(
        "insert into ops.key_change values (%s, '10611', 'student', 'r1', '10611X0', '10611X1', 9)", [batch]
    )
    assert raw.rows("select record_key, reason, run_id, is_gone from quality.deletion order by 2") == [
        ("10611X0", "key_change", "load-3", True),
        ("10611X1", "source", "load-2", False),
    ]


def _soften(monkeypatch) -> None:
    """The rule about students who are enrolled and have left is a warning from its next version on."""
    original = catalogue.load()
    softer = [
        r.model_copy(update={"severity": "WARN", "version": r.version + 1}) if r.rule_id == ENROLLED else r
        for r in original.rules["student"]
    ]
    changed = catalogue.Catalogue(
        original.rules | {"student": tuple(softer)}, original.order, original.lookups
    )
    monkeypatch.setattr(catalogue, "load", lambda: changed)
