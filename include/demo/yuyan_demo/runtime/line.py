"""`yuyan run`: one simulated day from the platforms to the marts, through the real scheduler."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
from rich.console import Console

from yuyan.commands.follow import follow as follow_run
from yuyan.commands.follow import successor
from yuyan.commands.replay import Request
from yuyan.domain import institutions as institution_files
from yuyan_demo.runtime import day as calendar
from yuyan_demo.runtime import postgres, processes, services
from yuyan_demo.simulator import products

RESTARTS = 3
"""How often one command starts again what has ended; what ends more often has a fault that no start mends."""
QUEUED_SECONDS = 60
"""Airflow's executor (LocalExecutor, Airflow 3.3.2) begins a task at once while others fit beside it. Its idle workers take
turns at a lock, which the one that waits for a task holds: is that one killed, no other ever gets a task again."""
LOOK_SECONDS = 10


@dataclass
class Report:
    """How one command of the line went: what failed (nothing on success), the runs by DAG, seconds per step."""

    runtime: services.Runtime
    state: calendar.State
    day: int
    runs: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def up(home: Path, console: Console, state: calendar.State, day: int) -> Report:
    """Bring the city to a day and every service up; what is there already is left alone.

    Airflow starts while the city moves on. Raises RuntimeFailure for a service that does not start.
    """
    services.refuse_own_connections()
    seconds: dict[str, float] = {}
    services.refuse_deployed(state)
    runtime = services.load(home, remember=True)
    calendar.save(runtime.home, state)  # services are told the city's size
    with _step(console, "启动数据库", seconds, "database"):
        services.start_databases(runtime)
    with ThreadPoolExecutor(1) as pool:
        front = pool.submit(services.start_front, runtime)
        with _step(console, f"模拟平台推进到 {calendar.as_of(day)}", seconds, "city"):
            state = calendar.prepare(runtime.home, state, day, postgres.dsn(runtime.home / "pg"))
        with _step(console, "启动平台与 Airflow", seconds, "services"):
            services.start_platforms(runtime)
            front.result()
            _start_scheduler(runtime)
            _wait_until_ready(runtime, console)
    return Report(runtime, state, day, seconds=seconds)


def run(home: Path, console: Console, state: calendar.State) -> Report:
    """Run the next day: `collect`, then the `warehouse` run it causes. A failed day is repeated by the next call, one whose
    command was interrupted is taken up where it is, unless Airflow would leave it alone since the clock has been put back.
    """
    report = up(home, console, state, state.next_day)
    state, as_of = report.state, calendar.as_of(report.day).isoformat()
    if given_up := report.runtime.client().give_up_runs_ahead():
        console.print(f"时钟被拨回，以下运行不会继续，已放弃：{'、'.join(given_up)}", highlight=False)
    if not _is_under_way(report.runtime, f"{as_of}-{state.attempt}"):
        state = replace(state, attempt=state.attempt + 1)
        calendar.save(report.runtime.home, state)
        report.runtime.client().trigger("collect", f"{as_of}-{state.attempt}", {"as_of": as_of})
    follow(report, console, "collect", f"{as_of}-{state.attempt}", len(institution_files.load()))
    if not report.failures:
        state = replace(state, done=report.day)
        calendar.save(report.runtime.home, state)
    report.state = state
    return report


def _is_under_way(runtime: services.Runtime, run_id: str) -> bool:
    """Does this run of `collect` work, or did it succeed and nothing that followed has failed?"""
    client = runtime.client()
    collected = client.run_state("collect", run_id)
    if collected != "success":
        return collected in ("queued", "running")
    with psycopg.connect(runtime.warehouse_dsn) as warehouse:
        following = successor(client, warehouse, "collect", run_id)
    return client.run_state("warehouse", following) != "failed" if following else client.is_busy("warehouse")


def replay(home: Path, console: Console, state: calendar.State, request: Request) -> Report:
    """Repeat part of the line for the last day (see dags/replay.py). Raises RuntimeFailure before the first run."""
    if not state.done:
        raise services.RuntimeFailure("there is nothing to repeat yet; run `yuyan run` first")
    report = up(home, console, state, state.prepared)
    as_of = calendar.as_of(state.done).isoformat()
    run_id = request.run_id(as_of)
    report.runtime.client().trigger("replay", run_id, request.conf(as_of))
    follow(report, console, "replay", run_id, request.visited)
    return report


def follow(report: Report, console: Console, dag_id: str, run_id: str, expected: int) -> None:
    """Watch a run and the `warehouse` run it causes; writes runs, failures and seconds into the report.

    `expected`: how many institutions it visits.
    """
    started = time.monotonic()
    outcome = follow_run(
        report.runtime.line(_keeper(report.runtime, console)), console, dag_id, run_id, expected
    )
    report.runs, report.failures = outcome.runs, outcome.failures
    report.seconds |= {name: s.seconds for name, s in outcome.stages.items() if s.seconds}
    report.seconds["line"] = time.monotonic() - started


def _start_scheduler(runtime: services.Runtime) -> None:
    services.start_scheduler(
        runtime, products.connection_env(runtime.home, runtime.ports[services.PLATFORMS])
    )


def _keeper(runtime: services.Runtime, console: Console) -> Callable[[], None]:
    """Starts again what has ended of itself while a run is followed, and a scheduler whose tasks do not begin. Raises
    RuntimeFailure where that does not help: for a service that was stopped or ends more than RESTARTS times, and for
    PostgreSQL, with which everybody's connections end.
    """
    left, looked = RESTARTS, time.monotonic()

    def check() -> None:
        nonlocal left, looked
        if not (gone := services.missing(runtime.home)):
            if time.monotonic() - looked < LOOK_SECONDS:
                return
            looked = time.monotonic()
            if left and _is_stuck(runtime):
                left -= 1
                console.print("scheduler 的任务排队而不开始，重新启动 …", highlight=False)
                processes.stop(["scheduler"], runtime.home)
                _start_scheduler(runtime)
                _wait_until_ready(runtime, console)
            return
        if not left or "postgres" in gone or any(processes.was_stopped(n, runtime.home) for n in gone):
            raise services.RuntimeFailure(
                f"{', '.join(gone)} ended during the run; see {runtime.home / 'logs'} and start again with `yuyan run`"
            )
        left -= 1
        console.print(f"{'、'.join(gone)} 已意外结束，重新启动 …", highlight=False)
        services.start_platforms(runtime)
        services.start_front(runtime)
        _start_scheduler(runtime)
        _wait_until_ready(runtime, console)

    return check


def _wait_until_ready(runtime: services.Runtime, console: Console) -> None:
    """Wait for the services; those that run and do not get well (after a full disk, say), or that were found running and end
    (of what was disturbed before), are started anew, once."""
    try:
        services.wait_until_ready(runtime, services.READY_SECONDS / 2)
    except services.NotReady as late:
        console.print(f"{'、'.join(late.ill)} 没有恢复正常，重新启动 …", highlight=False)
        processes.stop(late.ill, runtime.home)
        services.start_platforms(runtime)
        services.start_front(runtime)
        _start_scheduler(runtime)
        services.wait_until_ready(runtime, services.READY_SECONDS)


def _is_stuck(runtime: services.Runtime) -> bool:
    """Does a task wait for a worker though none works?"""
    query = (
        "select count(*) filter (where state = 'queued' and queued_dttm < now() - make_interval(secs => %s)) > 0 "
        "and count(*) filter (where state = 'running') = 0 from task_instance where state in ('queued', 'running')"
    )
    try:
        with psycopg.connect(runtime.metadata_dsn) as metadata:
            return metadata.execute(query, [QUEUED_SECONDS]).fetchone()[0]
    except psycopg.OperationalError:
        return False


@contextmanager
def _step(console: Console, label: str, seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.monotonic()
    if console.is_terminal:
        with console.status(label):
            yield
    else:
        console.print(f"{label} …", highlight=False)
        yield
    seconds[name] = time.monotonic() - started
