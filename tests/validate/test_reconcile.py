"""received = accepted + quarantined + unchanged + superseded, for every batch, from the rows themselves."""

import pytest
from small_world import STUDENT

from yuyan.validate.reconcile import ReconciliationError, reconcile

pytestmark = pytest.mark.database

BATCH = "load-2-student-10611"


@pytest.fixture
def judged(raw):
    """A student with a faulty update, children, and what the load left out."""
    raw.put_sound([*STUDENT, "student_status_event"])
    raw.judge("run-1")
    raw.put(raw.version("student", left_on=None), raw.version("student", "r2", student_id="10611X2"))
    raw.connection.execute(
        "update ops.batch set rows_received = 5, rows_unchanged = 2, rows_superseded = 1 where batch_id = %s",
        [BATCH],
    )
    raw.judge("run-2")
    return raw


def test_every_batch_adds_up(judged):
    assert reconcile("run-2") == 7
    assert figures(judged, BATCH) == [(5, 1, 1, 2, 1, True)]
    assert judged.rows("select count(*) from ops.reconciliation") == [(7,)]


def test_only_what_a_run_touched_is_stored_again(judged):
    reconcile("run-2")
    judged.put(judged.version("student", "r1"))
    judged.judge("run-3")
    assert reconcile("run-3") == 8
    assert judged.rows("select batch_id from ops.reconciliation where run_id = 'run-3'") == [
        ("load-3-student-10611",)
    ]


def test_a_quarantined_row_that_was_replaced_still_counts_as_quarantined(judged):
    judged.put(judged.version("student", "r1"))
    judged.judge("run-3")
    reconcile("run-3")
    assert figures(judged, BATCH) == [(5, 1, 1, 2, 1, True)]


def test_tombstones_made_by_the_load_are_not_received_rows(judged):
    judged.put(judged.version("student", "r2", deleted=True))
    judged.connection.execute(
        "update ops.batch set rows_received = 0, rows_stored = 0, rows_tombstoned = 1 "
        "where batch_id = 'load-3-student-10611'"
    )
    judged.judge("run-3")
    reconcile("run-3")
    assert figures(judged, "load-3-student-10611") == [(0, 0, 0, 0, 0, True)]


def test_what_was_loaded_before_the_run_and_committed_after_it_began_waits_for_the_next(judged):
    """A collection loads a whole window in one transaction: its batches are dated when they are written."""
    judged.connection.execute(
        "insert into ops.run (run_id, kind, as_of, state, started_at, ended_at) values "
        "('load-9', 'collect', '2026-10-15', 'success', clock_timestamp(), clock_timestamp() + interval '1 hour'), "
        "('run-9', 'warehouse', '2026-10-15', 'running', clock_timestamp() + interval '1 minute', null)"
    )
    judged.put(judged.version("student", "r1"))
    judged.connection.execute(
        "update ops.batch set run_id = 'load-9' where batch_id = 'load-3-student-10611'"
    )
    assert reconcile("run-9") > 0
    judged.connection.execute("update ops.run set ended_at = clock_timestamp() where run_id = 'load-9'")
    with pytest.raises(ReconciliationError, match="load-3-student-10611"):
        reconcile("run-9")


def test_lost_added_and_unjudged_rows_fail_the_run_and_are_named(judged):
    tampered = ["load-1-student_status_event-10611", "load-1-programme-10611", BATCH]
    judged.connection.execute("delete from raw.student where src_record_id = 'r2'")
    judged.connection.execute(
        "insert into raw.student_status_event (src_inst_code, src_record_id, source_version, is_deleted, row_hash, "
        "batch_id, row_no, as_of) values ('10611', 'r9', 1, false, '', %s, 9, '2026-10-15')",
        [tampered[0]],
    )
    judged.connection.execute("delete from quality.judged where batch_id = %s", [tampered[1]])
    with pytest.raises(
        ReconciliationError, match=r"3 of 7 batches.*\(10611 student: received 5, accepted 0"
    ) as refused:
        reconcile("run-2")
    assert all(batch in str(refused.value) for batch in tampered)
    stored = judged.rows("select batch_id from ops.reconciliation where not is_balanced")
    assert {batch for (batch,) in stored} == set(tampered)


def figures(raw, batch):
    """received, accepted, quarantined, unchanged, superseded, is_balanced of a batch, as stored."""
    return raw.rows(
        "select received, accepted, quarantined, unchanged, superseded, is_balanced from ops.reconciliation "
        "where batch_id = %s order by run_id",
        batch,
    )
