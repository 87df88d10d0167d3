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


@pytest.fixture
def line(warehouse):
    with psycopg.connect(warehouse, autocommit=True) as connection:
        yield connection


def test_time_and_session_of_a_step_are_the_servers(line):
    before = datetime.now(UTC)
    at, by, claimed = line.execute(EVENT).fetchone()
    assert at >= before
    assert (by, claimed) == (line.info.user, "jw-data-1")


@pytest.mark.parametrize("table", ["life_cycle_event", "release"])
def test_what_was_decided_or_released_is_only_added_to(line, table):
    line.execute(EVENT if table == "life_cycle_event" else RELEASE)
    kept = line.execute(f"select * from quality.{table}").fetchall()
    for statement in (
        f"update quality.{table} set reason = reason",
        f"delete from quality.{table}",
        f"truncate quality.{table}",
    ):
        with pytest.raises(errors.RaiseException, match="只增不改"):
            line.execute(statement)
    assert line.execute(f"select * from quality.{table}").fetchall() == kept != []
