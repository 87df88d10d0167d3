"""What people decided cannot be changed or dated back: the server writes when and by which session, and refuses the rest."""

from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import errors

pytestmark = pytest.mark.database

EVENT = (
    "insert into quality.life_cycle_event (life_cycle, subject_id, as_of, actor, action, to_state, reason, recorded_at, "
    "recorded_by) values ('problem', 1, '2026-10-15', 'jw-data-1', 'found', 'open', '理由', '2001-01-01', 'somebody else') "
    "returning recorded_at, recorded_by, actor"
)
RELEASE = (
    "insert into quality.release (entity, raw_id, src_inst_code, src_record_id, batch_id, rule_ids, since_run_id, "
    "released_run_id, reason) values ('student', 1, '10611', 's1', 'b1', '{}', 'r1', 'r2', 'healed')"
)

SIGN_OFF = (
    "insert into allocation.sign_off (data_digest, scheme, as_of, value_count, action, actor, reason, recorded_at, "
    "recorded_by) values ('d', 'default', '2026-10-15', 1, 'signed', 'jw-data-1', '理由', '2001-01-01', 'somebody else') "
    "returning recorded_at, recorded_by, actor"
)
ADDED = {
    "quality.life_cycle_event": EVENT,
    "quality.release": RELEASE,
    "allocation.sign_off": SIGN_OFF,
    "quality.thinning": "insert into quality.thinning (table_name, run_id, as_of, rows, policy, thinned_run_id) "
    "values ('result', 'r1', '2026-10-15', 1, 'p', 'r2')",
    "accountability.case_record": "with case_file as (insert into accountability.case_file (target_kind, target_code, "
    "src_inst_code, is_restricted, state, level_code, rule_codes, opened_on, entered_on, opened_run_id, last_run_id) "
    "values ('INST', '10611', '10611', false, 'normal', 'RED', '{}', '2026-10-15', '2026-10-15', 'r1', 'r1') "
    "returning case_id) "
    "insert into accountability.case_record (event_id, case_id, action, as_of, figures, reason) "
    "select 1, case_id, 'found', '2026-10-15', '[]', '理由' from case_file",
}


@pytest.fixture
def line(warehouse):
    with psycopg.connect(warehouse, autocommit=True) as connection:
        yield connection


def test_time_and_session_of_a_step_are_the_servers(line):
    before = datetime.now(UTC)
    at, by, claimed = line.execute(EVENT).fetchone()
    assert at >= before
    assert (by, claimed) == (line.info.user, "jw-data-1")


def test_time_and_session_of_a_sign_off_are_the_servers(line):
    before = datetime.now(UTC)
    at, by, claimed = line.execute(SIGN_OFF).fetchone()
    assert at >= before
    assert (by, claimed) == (line.info.user, "jw-data-1")


@pytest.mark.parametrize("table", ADDED)
def test_what_was_decided_or_released_is_only_added_to(line, table):
    line.execute(ADDED[table])
    kept = line.execute(f"select * from {table}").fetchall()
    (column,) = line.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum = 2", [table]
    ).fetchone()
    for statement in (
        f"update {table} set {column} = {column}",
        f"delete from {table}",
        f"truncate {table} cascade",
    ):
        with pytest.raises(errors.RaiseException, match="只增不改"):
            line.execute(statement)
    assert line.execute(f"select * from {table}").fetchall() == kept != []
