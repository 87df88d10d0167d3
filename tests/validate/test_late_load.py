"""A batch that arrives while the warehouse run is under way waits for the next run, and shows nowhere before."""

import psycopg
import pytest
from small_world import Raw

from yuyan.validate.reconcile import ReconciliationError, reconcile

pytestmark = pytest.mark.database


def _open_run(connection: psycopg.Connection, run_id: str, started: str) -> None:
    connection.execute(
        "insert into ops.run (run_id, kind, as_of, started_at) values (%s, 'warehouse', '2026-10-15', %s)",
        [run_id, started],
    )
    connection.commit()


def _arrive(connection: psycopg.Connection, loaded_at: str) -> None:
    connection.execute(
        "insert into ops.batch (batch_id, run_id, src_inst_code, entity, product, mode, landing_uri, payload_digest, "
        "rows_received, rows_stored, rows_unchanged, rows_superseded, as_of, loaded_at) values ('late', 'x', '10611', "
        "'honour', 'p', 'incremental', '', '', 1, 1, 0, 0, '2026-10-15', %s)",
        [loaded_at],
    )
    connection.execute(
        "insert into raw.honour (src_inst_code, src_record_id, source_version, is_deleted, row_hash, batch_id, row_no, "
        "as_of) values ('10611', 'r', 1, false, '\\x00', 'late', 1, '2026-10-15')"
    )
    connection.commit()


def test_a_late_batch_is_left_to_the_next_run_and_not_part_of_the_accepted_history(raw: Raw):
    _open_run(raw.connection, "w1", "2026-10-15 03:00+08")
    _arrive(raw.connection, "2026-10-15 03:05+08")
    reconcile("w1")
    assert raw.rows("select * from ops.reconciliation where batch_id = 'late'") == []
    assert raw.rows("select * from accepted.honour_versions") == []


def test_an_older_batch_that_was_never_judged_is_a_loss(raw: Raw):
    _open_run(raw.connection, "w1", "2026-10-15 03:00+08")
    _arrive(raw.connection, "2026-10-15 02:05+08")
    with pytest.raises(ReconciliationError, match="late"):
        reconcile("w1")
