"""Following a run while Airflow works: stages, institutions, rows and models, live on a terminal, as lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from yuyan.commands.airflow_api import Client
from yuyan.commands.report import STAGES

FOLLOWED = tuple(STAGES)[3:-1]
POLL_SECONDS = 2.0
"""Each look costs Airflow's API server a tenth of a second of processor time."""
ENDED = ("success", "failed")
HANDOVER_SECONDS = 120


@dataclass(frozen=True)
class Line:
    """An Airflow and its warehouse. `check` raises when a service has gone; `log_of` says where a failed task's log is."""

    client: Client
    warehouse_dsn: str
    check: Callable[[], None]
    log_of: Callable[[str, str, dict[str, Any]], str]


@dataclass
class Stage:
    """What is known about one stage: `waiting`, `running`, `success` or `failed`, seconds so far, one line of detail."""

    state: str = "waiting"
    seconds: float = 0.0
    detail: str = ""


@dataclass
class Outcome:
    """How a watched chain of runs ended: the run ids by DAG, the tasks that failed with their logs, the stages."""

    runs: dict[str, str]
    stages: dict[str, Stage]
    failures: list[str] = field(default_factory=list)


def follow(line: Line, console: Console, dag_id: str, run_id: str, expected: int) -> Outcome:
    """Watch a run of `collect` or `replay` and the `warehouse` run it causes until both have ended.

    That run may have been waiting already. `expected`: how many institutions are visited. Raises what `line.check` raises.
    """
    client, stages = line.client, {name: Stage() for name in FOLLOWED}
    outcome = Outcome({dag_id: run_id}, stages)
    with (
        psycopg.connect(line.warehouse_dsn, autocommit=True) as warehouse,
        _display(console, stages) as show,
    ):
        while True:
            line.check()
            state = client.run_state(dag_id, run_id) or "failed"
            stages["collect"] = _collection(warehouse, run_id, expected, state)
            show()
            if state in ENDED:
                break
            time.sleep(POLL_SECONDS)
        if state == "failed":
            outcome.failures += _failed_tasks(line, dag_id, run_id)
            return outcome
        if (next_run := _handover(line, warehouse, dag_id, run_id)) is None:
            outcome.failures.append(
                f"{dag_id} {run_id} ended, but in {HANDOVER_SECONDS} s no warehouse run was at work or followed"
            )
            return outcome
        outcome.runs["warehouse"] = next_run
        while True:
            line.check()
            state = client.run_state("warehouse", next_run) or "failed"
            _transformation(warehouse, next_run, client.tasks("warehouse", next_run), stages)
            show()
            if state in ENDED:
                break
            time.sleep(POLL_SECONDS)
        if state == "failed":
            outcome.failures += _failed_tasks(line, "warehouse", next_run)
    return outcome


def _collection(warehouse: psycopg.Connection, run_id: str, expected: int, state: str) -> Stage:
    done, partial, failed, received, stored = warehouse.execute(
        "select count(*) filter (where outcome <> 'failed'), count(*) filter (where outcome = 'partial'), "
        "count(*) filter (where outcome = 'failed'), "
        "coalesce(sum(rows_received), 0), coalesce(sum(rows_stored), 0) "
        "from ops.collection_result where run_id = %s and entity = ''",
        [run_id],
    ).fetchone()
    seconds = warehouse.execute(
        "select greatest(0, extract(epoch from coalesce(ended_at, clock_timestamp()) - started_at)) "
        "from ops.run where run_id = %s",
        [run_id],
    ).fetchone()
    part = f"（其中 {partial} 个部分完成）" if partial else ""
    detail = f"单位 {done}/{expected} 完成{part}，{failed} 失败；收到 {received:,} 行，新版本 {stored:,} 行"
    if not expected:
        detail = "重做"
    return Stage({"queued": "waiting"}.get(state, state), float(seconds[0]) if seconds else 0.0, detail)


def _transformation(
    warehouse: psycopg.Connection, run_id: str, tasks: list[dict[str, Any]], stages: dict[str, Stage]
) -> None:
    models = dict(
        (layer, (nodes, bad, seconds))
        for layer, nodes, bad, seconds in warehouse.execute(
            "select layer, count(*), count(*) filter (where status in ('error', 'fail', 'runtime error')), sum(seconds) "
            "from ops.model_result where run_id = %s group by layer",
            [run_id],
        )
    )
    for task in tasks:
        if (stage := stages.get(task["task_id"])) is None:
            continue
        stage.state = {"success": "success", "failed": "failed", "running": "running"}.get(
            task["state"], "waiting"
        )
        stage.seconds = float(task["duration"] or 0)
        if task["task_id"] in models:
            nodes, bad, _ = models[task["task_id"]]
            stage.detail = f"{nodes} 个节点，{bad} 个失败" if bad else f"{nodes} 个节点"


def successor(client: Client, warehouse: psycopg.Connection, dag_id: str, run_id: str) -> str | None:
    """The first `warehouse` run that judges what this run brought: the one it caused, or one that began after its end."""
    for caused_dag, caused_run in client.runs_caused_by(dag_id, run_id):
        if caused_dag == "warehouse":
            return caused_run
    found = warehouse.execute(
        "select w.run_id from ops.run w, ops.run this where this.run_id = %s and w.kind = 'warehouse' "
        "and w.started_at > this.ended_at order by w.started_at limit 1",
        [run_id],
    ).fetchone()
    return found and found[0]


def _handover(line: Line, warehouse: psycopg.Connection, dag_id: str, run_id: str) -> str | None:
    deadline = time.monotonic() + HANDOVER_SECONDS
    while time.monotonic() < deadline:
        line.check()
        if next_run := successor(line.client, warehouse, dag_id, run_id):
            return next_run
        if line.client.is_busy("warehouse"):  # one at a time: the next begins when it has ended
            deadline = time.monotonic() + HANDOVER_SECONDS
        time.sleep(POLL_SECONDS)
    return None


def _failed_tasks(line: Line, dag_id: str, run_id: str) -> list[str]:
    """One line per failed task, with where its log is."""
    lines = [
        f"{dag_id}.{task['task_id']} {task['rendered_map_index'] or ''}: {line.log_of(dag_id, run_id, task)}"
        for task in line.client.tasks(dag_id, run_id)
        if task["state"] == "failed"
    ]
    return lines or [f"{dag_id} {run_id} failed"]


@contextmanager
def _display(console: Console, stages: dict[str, Stage]) -> Iterator[Callable[[], None]]:
    if console.is_terminal:
        with Live(console=console, refresh_per_second=8, transient=True) as live:
            yield lambda: live.update(_table(stages))
    else:
        yield _line_printer(console, stages)


def _table(stages: dict[str, Stage]) -> Group:
    table = Table.grid(padding=(0, 2))
    for name, stage in stages.items():
        mark = {"success": Text("✓", "green"), "failed": Text("✗", "red"), "running": Spinner("dots")}.get(
            stage.state, Text("·")
        )
        table.add_row(mark, STAGES[name], f"{stage.seconds:6.1f} s" if stage.seconds else "", stage.detail)
    return Group(table)


def _line_printer(console: Console, stages: dict[str, Stage]) -> Callable[[], None]:
    shown: dict[str, tuple[str, str]] = {}

    def show() -> None:
        for name, stage in stages.items():
            now = (stage.state, stage.detail)
            if stage.state != "waiting" and shown.get(name) != now:
                shown[name] = now
                word = {"success": "完成", "failed": "失败", "running": "进行中"}.get(
                    stage.state, stage.state
                )
                console.print(f"{STAGES[name]} {word} {stage.seconds:.1f} s {stage.detail}", highlight=False)

    return show
