"""While a run is followed, a service that ended of itself is started again; one that was stopped is not."""

from types import SimpleNamespace

import psycopg
import pytest
from rich.console import Console

from yuyan_demo.runtime import line, services


@pytest.fixture
def started(monkeypatch) -> list[str]:
    """What was started again."""
    calls: list[str] = []
    for name in ("start_platforms", "start_front", "wait_until_ready"):
        monkeypatch.setattr(services, name, lambda runtime, *_, name=name: calls.append(name))
    monkeypatch.setattr(line, "_start_scheduler", lambda runtime: calls.append("start_scheduler"))
    monkeypatch.setattr(line, "LOOK_SECONDS", 0)
    monkeypatch.setattr(line, "_is_stuck", lambda runtime: False)
    return calls


@pytest.fixture
def gone(monkeypatch) -> list[str]:
    """Services that do not run."""
    names: list[str] = []
    monkeypatch.setattr(services, "missing", lambda home: names)
    return names


@pytest.fixture
def check(tmp_path, started, gone):
    (tmp_path / "pids").mkdir()
    for name in services.NAMES:
        (tmp_path / "pids" / f"{name}.json").write_text("{}")
    return line._keeper(SimpleNamespace(home=tmp_path), Console(quiet=True))


def test_what_runs_is_left_alone(check, started):
    check()
    assert started == []


def test_a_scheduler_whose_tasks_do_not_begin_is_started_anew(check, started, monkeypatch, tmp_path):
    monkeypatch.setattr(line, "_is_stuck", lambda runtime: not started)
    check()
    check()
    assert started == ["start_scheduler", "wait_until_ready"]
    assert not (tmp_path / "pids" / "scheduler.json").exists()  # stopped, not only started


def test_a_service_that_runs_and_does_not_get_well_is_started_anew_once(
    check, started, monkeypatch, tmp_path
):
    health = {
        "metadatabase": "healthy",
        "scheduler": "unhealthy",
        "triggerer": "healthy",
        "dag_processor": "healthy",
    }
    monkeypatch.undo()
    monkeypatch.setattr(services, "_require", lambda *_: None)
    for name in ("start_platforms", "start_front"):
        monkeypatch.setattr(services, name, lambda runtime, name=name: started.append(name))
    monkeypatch.setattr(line, "_start_scheduler", lambda runtime: started.append("start_scheduler"))
    monkeypatch.setattr(services, "READY_SECONDS", 0)
    asked = SimpleNamespace(home=tmp_path, client=lambda: SimpleNamespace(health=lambda: health))
    with pytest.raises(services.NotReady, match="'scheduler': 'unhealthy'"):
        line._wait_until_ready(asked, Console(quiet=True))
    assert started == ["start_platforms", "start_front", "start_scheduler"]
    assert [p.stem for p in (tmp_path / "pids").iterdir() if p.stem not in services.NAMES] == []
    assert not (tmp_path / "pids" / "scheduler.json").exists()
    assert (tmp_path / "pids" / "triggerer.json").exists()


def test_a_service_that_was_found_running_and_ends_is_started_again(started, monkeypatch, tmp_path):
    def wait(runtime, seconds):
        started.append("wait")
        if started.count("wait") == 1:
            raise services.NotReady("scheduler has ended while starting", ["scheduler"])

    monkeypatch.setattr(services, "wait_until_ready", wait)
    line._wait_until_ready(SimpleNamespace(home=tmp_path), Console(quiet=True))
    assert started == ["wait", "start_platforms", "start_front", "start_scheduler", "wait"]


@pytest.mark.database
@pytest.mark.parametrize(
    ("tasks", "is_stuck"),
    [
        ("('queued', 61)", True),
        ("('queued', 59), ('success', 600)", False),
        ("('queued', 61), ('running', 90)", False),  # it fills the executor, or will end
        ("(null, null), ('scheduled', 600)", False),  # a pool is full
    ],
)
def test_tasks_that_wait_while_none_runs_are_stuck(warehouse, tasks, is_stuck):
    with psycopg.connect(warehouse) as metadata:
        metadata.execute(
            "create table task_instance as select state::text, now() - make_interval(secs => age) as queued_dttm "
            f"from (values {tasks}, (null, null)) as v (state, age)"
        )
    assert line._is_stuck(SimpleNamespace(metadata_dsn=warehouse)) is is_stuck


def test_what_ended_of_itself_is_started_again_but_not_for_ever(check, started, gone):
    gone.append("scheduler")
    for _ in range(line.RESTARTS):
        check()
    assert (
        started == ["start_platforms", "start_front", "start_scheduler", "wait_until_ready"] * line.RESTARTS
    )
    with pytest.raises(services.RuntimeFailure, match="scheduler ended during the run"):
        check()


@pytest.mark.parametrize("name", ["postgres", "triggerer"])
def test_a_server_with_everybodys_connections_and_what_was_stopped_end_the_run(
    check, started, gone, name, tmp_path
):
    gone.append(name)
    if name == "triggerer":
        (tmp_path / "pids" / "triggerer.json").unlink()
    with pytest.raises(services.RuntimeFailure, match=f"{name} ended during the run"):
        check()
    assert started == []
