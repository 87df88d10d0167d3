"""Which day a warehouse run stands for, and whether another must follow it."""

from datetime import UTC, date, datetime
from types import SimpleNamespace

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowSkipException

from yuyan import runs

pytestmark = pytest.mark.database

D16, D17, D18, D19 = (date(2026, 10, day) for day in (16, 17, 18, 19))

AFTER = datetime(2026, 10, 15, 17, tzinfo=UTC)
"""When the runs start: the 16th in Chongqing."""


@pytest.fixture
def connection(warehouse):
    with psycopg.connect(warehouse, autocommit=True) as connection:
        yield connection


def event(day: date) -> SimpleNamespace:
    """What an asset event carries."""
    return SimpleNamespace(extra={"as_of": day.isoformat()})


def collected(run_id: str, day: date, state: str = "success") -> None:
    """A collection that has ended."""
    runs.open_run(run_id, "collect", day)
    runs.close_run(run_id, state)


def arrive(connection, run_id: str, day: date, batch: str) -> None:
    """A stored batch of a collection."""
    connection.execute(
        "insert into ops.batch (batch_id, run_id, src_inst_code, entity, product, mode, landing_uri, payload_digest, "
        "rows_received, rows_stored, rows_unchanged, rows_superseded, as_of) "
        "values (%s, %s, '10611', 'honour', 'p', 'incremental', '', '', 1, 1, 0, 0, %s)",
        [batch, run_id, day],
    )


def test_the_day_is_the_newest_that_has_ended_though_its_event_was_passed_over(connection):
    for number, day in enumerate((D17, D19, D18)):
        collected(f"c{number}", day)
    assert runs.open_warehouse_run("w1", None, [event(D17)], AFTER) == D19
    assert runs.day_of("w1") == D19


def test_a_later_run_does_not_go_back(connection):
    runs.open_warehouse_run("w1", None, [event(D19)], AFTER)
    collected("c2", D18)
    assert runs.open_warehouse_run("w2", None, [event(D18)], AFTER) == D19


def test_runs_keep_their_order_when_the_clock_is_put_back(connection):
    collected("c1", D17)
    connection.execute(
        "update ops.run set started_at = started_at + interval '1 day', ended_at = ended_at + interval '1 day'"
    )
    runs.open_warehouse_run("w1", None, [event(D17)], AFTER)
    collected("c2", D17)
    times = connection.execute(
        "select run_id, started_at, ended_at from ops.run order by started_at"
    ).fetchall()
    assert [run_id for run_id, _, _ in times] == ["c1", "w1", "c2"]
    (_, _, first_end), (_, second_start, _), (_, third_start, third_end) = times
    assert first_end < second_start < third_start < third_end


def test_a_day_that_is_asked_for_is_the_day(connection):
    collected("c1", D19)
    assert runs.open_warehouse_run("w1", "2026-10-16", [], AFTER) == D16


def test_without_anything_before_the_day_is_the_runs_own(connection):
    runs.open_run("c1", "collect", D19)
    collected("c2", D18, "failed")
    assert runs.open_warehouse_run("w1", None, [], AFTER) == D16


def test_a_day_that_has_not_come_is_refused(connection, monkeypatch):
    collected("c1", D16)
    with pytest.raises(runs.FutureDay, match="2099-01-01 晚于 2026-10-16"):
        runs.open_warehouse_run("w1", "2099-01-01", [], AFTER)
    assert runs.open_warehouse_run("w2", None, [], AFTER) == D16
    with pytest.raises(runs.FutureDay):
        runs.as_of("2026-10-17", None, AFTER)
    assert runs.as_of("2026-10-16", None, AFTER) == D16
    monkeypatch.setenv("YUYAN_SIMULATED", "1")
    assert runs.as_of("2027-10-17", None, AFTER) == date(2027, 10, 17)
    with pytest.raises(runs.FutureDay):
        runs.as_of("2099-01-01", None, AFTER)


def test_a_logical_date_that_has_not_come_is_refused_like_a_parameter(monkeypatch):
    """Airflow starts such a run at once: it asks `run_after` alone."""
    far = datetime(2099, 1, 1, tzinfo=UTC)
    with pytest.raises(runs.FutureDay, match="2099-01-01 晚于 2026-10-16"):
        runs.as_of(None, far, AFTER)
    with pytest.raises(runs.FutureDay, match="2026-10-17 晚于 2026-10-16"):
        runs.as_of(None, datetime(2026, 10, 16, 17, tzinfo=UTC), AFTER)
    assert runs.as_of(None, AFTER, AFTER) == D16
    assert runs.as_of(None, datetime(2026, 10, 14, 17, tzinfo=UTC), AFTER) == date(2026, 10, 15)
    assert runs.as_of("2026-10-14", far, AFTER) == date(2026, 10, 14)
    monkeypatch.setenv("YUYAN_SIMULATED", "1")
    assert runs.as_of(None, datetime(2027, 10, 17, tzinfo=UTC), AFTER) == date(2027, 10, 17)
    with pytest.raises(runs.FutureDay):
        runs.as_of(None, far, AFTER)


def test_nothing_follows_a_run_that_knew_all(connection):
    arrive(connection, "c1", D16, "b1")
    collected("c1", D16)
    runs.open_warehouse_run("w1", None, [event(D16)], AFTER)
    assert runs.left_over("w1") is None


def test_a_day_that_ended_meanwhile_is_followed(connection):
    collected("c1", D16)
    runs.open_warehouse_run("w1", None, [event(D16)], AFTER)
    collected("c2", D19)
    collected("c3", D18)
    assert runs.left_over("w1") == D19
    assert runs.open_warehouse_run("w2", None, [event(D17)], AFTER) == D19
    assert runs.left_over("w2") is None
    assert runs.follow_up("w1") == {"run_id": "w1", "as_of": "2026-10-19"}
    with pytest.raises(AirflowSkipException):
        runs.follow_up("w2")


def test_a_failed_run_that_a_branch_opened_again_ends_failed(connection):
    """One branch fails for good while another works, whose next stage opens the run as one that was cleared."""
    collected("c1", D16)
    runs.open_warehouse_run("w1", None, [event(D16)], AFTER)
    runs.close_run("w1", "failed")
    with runs.stage("w1", "feedback"):
        assert runs.state_of("w1") == "success"  # so far
    with pytest.raises(AirflowSkipException):
        runs.follow_up("w1")
    assert connection.execute(
        "select state, ended_at is null from ops.run where run_id = 'w1'"
    ).fetchone() == (
        "failed",
        False,
    )
    runs.open_warehouse_run("w2", None, [event(D16)], AFTER)
    runs.close_run("w2", "success")
    with pytest.raises(AirflowSkipException):
        runs.follow_up("w2")
    assert runs.state_of("w2") == "success"


def test_what_arrived_meanwhile_is_followed_until_it_is_judged(connection):
    runs.open_warehouse_run("w1", None, [], AFTER)
    arrive(connection, "c1", D16, "b1")
    collected("c1", D16, "failed")  # the institution failed after this entity
    assert runs.left_over("w1") == D16
    connection.execute("insert into quality.judged values ('honour', 'b1', 'rules', 'w1')")
    assert runs.left_over("w1") is None


def test_a_collection_at_work_hands_over_itself(connection):
    runs.open_warehouse_run("w1", None, [], AFTER)
    runs.open_run("c1", "collect", D17)
    arrive(connection, "c1", D17, "b1")
    assert runs.left_over("w1") is None


def test_a_run_that_could_not_judge_what_it_knew_starts_no_other(connection):
    arrive(connection, "c1", D16, "b1")
    collected("c1", D16)
    runs.open_warehouse_run("w1", None, [event(D16)], AFTER)
    runs.close_run("w1", "failed")
    assert runs.left_over("w1") is None


def test_a_run_that_never_opened_has_left_nothing(connection):
    assert runs.left_over("w1") is None
