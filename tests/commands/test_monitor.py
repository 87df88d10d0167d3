"""Is the line well: what is late, what is stuck, and what a monitoring system is told over HTTP."""

import socket
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from types import SimpleNamespace

import psycopg
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from typer.testing import CliRunner

from yuyan import line_state, runs
from yuyan.commands import monitor
from yuyan.commands.cli import app
from yuyan.domain import institutions

pytestmark = pytest.mark.database

LATE, NEVER, PART, SLOW = "10611", "10617", "10618", "10631"
OTHERS = "10635"
HOURS = line_state.STUCK_HOURS


@pytest.fixture
def line(warehouse, tmp_path, monkeypatch):
    """A warehouse, and files of five institutions, one of which may be late for longer."""
    for code in (LATE, NEVER, PART, SLOW, OTHERS):
        text = (
            f"inst_code: '{code}'\nname: 学校{code}\nproduct: rest-versioned\nconnection: platform_{code}\n"
        )
        (tmp_path / f"{code}.yml").write_text(text + ("fresh_hours: 100\n" if code == SLOW else ""))
    monkeypatch.setenv("YUYAN_INSTITUTIONS", str(tmp_path))
    with psycopg.connect(warehouse, autocommit=True) as connection:
        yield connection


def run(line, run_id: str, kind: str, state: str, hours_ago: float, **outcomes: str) -> None:
    """A run that began so long ago and, unless it runs, ended then, with what each institution's collection came to."""
    line.execute(
        "insert into ops.run (run_id, kind, as_of, state, started_at, ended_at) select %s, %s, '2026-10-15', %s, at, "
        "case when %s <> 'running' then at end from (select now() - make_interval(secs => %s)) t (at)",
        [run_id, kind, state, state, hours_ago * 3600],
    )
    for code, outcome in outcomes.items():
        line.execute(
            "insert into ops.collection_result (run_id, src_inst_code, outcome) values (%s, %s, %s)",
            [run_id, code.removeprefix("c"), outcome],
        )


def sound(line) -> None:
    """A line that works, with one institution late, one never seen, one in part and one slow by agreement."""
    run(
        line,
        "old",
        "collect",
        "success",
        50,
        **dict.fromkeys((f"c{c}" for c in (LATE, PART, SLOW)), "success"),
    )
    run(
        line,
        "new",
        "collect",
        "partial",
        2,
        **{f"c{LATE}": "failed", f"c{PART}": "partial", f"c{OTHERS}": "success"},
    )
    run(line, "published", "warehouse", "success", 1)


def stuck(dsn: str) -> list[str]:
    return line_state.read(dsn).stuck


def test_an_institution_is_fresh_while_everything_of_it_came_within_its_own_objective(line, warehouse):
    sound(line)
    state = line_state.read(warehouse)
    assert {row["inst_code"]: row["is_fresh"] for row in state.institutions} == {
        LATE: False, NEVER: False, PART: False, SLOW: True, OTHERS: True,
    }  # fmt: skip
    assert {row["inst_code"]: row["fresh_hours"] for row in state.institutions}[SLOW] == 100
    assert state.stuck == []  # late institutions are no fault of the line


def test_what_stands_still_is_named(line, warehouse):
    assert stuck(warehouse) == ["还没有任何采集"]
    sound(line)
    run(line, "endless", "warehouse", "running", HOURS + 1)
    (said,) = stuck(warehouse)
    assert said.startswith("warehouse endless：自 ")
    line.execute("delete from ops.run where run_id in ('endless', 'new')")
    run(line, "unpublished", "collect", "success", HOURS + 1)
    line.execute("update ops.run set ended_at = now() - interval '20 hours' where run_id = 'published'")
    (said,) = stuck(warehouse)
    assert said.startswith("已采集而未发布：unpublished（2026-10-15）")
    line.execute(
        "insert into ops.batch (batch_id, run_id, src_inst_code, entity, product, mode, landing_uri, payload_digest, "
        "rows_received, rows_stored, rows_unchanged, rows_superseded, as_of, loaded_at) values "
        "('b', 'unpublished', '10611', 'student', 'p', 'full', "
        "'u', 'd', 1, 1, 0, 0, '2026-10-15', now() - make_interval(hours => %s))",
        [HOURS + 1],
    )
    assert any(said.startswith("已装载而未校验：1 个批次") for said in stuck(warehouse))
    line.execute("update ops.run set started_at = now() - interval '200 hours' where kind = 'collect'")
    assert any(said.startswith("最近一次采集始于 ") for said in stuck(warehouse))


@contextmanager
def served(dsn: str):
    server = monitor.server(monitor.Line(dsn, None), "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def ask(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read().decode()


def test_the_command_needs_the_login_that_keeps_the_book_alone(monkeypatch):
    """As the service of docker-compose.yml has it, with Airflow's address."""
    given = {
        "YUYAN_WAREHOUSE_DSN_COLLECT": "postgresql://c@h/w",
        "YUYAN_AIRFLOW_URL": "http://a",
        "YUYAN_AIRFLOW_PASSWORD": "x",
    }
    monkeypatch.delenv("YUYAN_WAREHOUSE_DSN", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    lines = []
    stub = SimpleNamespace(server_port=1, serve_forever=lambda: None)
    monkeypatch.setattr(monitor, "server", lambda line, host, port: lines.append(line) or stub)
    done = CliRunner().invoke(app, ["monitor"])
    assert done.exit_code == 0, done.output
    assert [(line._dsn, str(line._airflow._http.base_url)) for line in lines] == [
        ("postgresql://c@h/w", "http://a")
    ]


def test_a_monitoring_system_is_told(line, warehouse):
    with served(warehouse) as address:
        assert ask(f"{address}/health") == (503, "还没有任何采集\n")
        sound(line)
        assert ask(f"{address}/health") == (200, "ok\n")
        assert ask(f"{address}/elsewhere")[0] == 404
        status, text = ask(f"{address}/metrics")
    assert status == 200
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found["yuyan_institution_fresh", OTHERS] == 1
    assert found["yuyan_institution_fresh", LATE] == 0
    assert 50 * 3600 <= found["yuyan_institution_age_seconds", LATE] < 51 * 3600
    assert ("yuyan_institution_age_seconds", NEVER) not in found
    assert found["yuyan_institution_objective_seconds", SLOW] == 360_000
    assert found["yuyan_stuck",] == 0
    assert found["yuyan_run_age_seconds", "warehouse", "success"] >= 3600


def test_a_warehouse_that_does_not_answer_is_said(work):
    with served("postgresql://nobody@127.0.0.1:1/nothing") as address:
        assert ask(f"{address}/health")[0] == 503
        assert ask(f"{address}/metrics") == (503, "数仓没有应答\n")


def test_every_institution_of_the_project_has_an_objective():
    assert set(institutions.fresh_hours().values()) == {36}


def received(asked: socket.socket) -> dict[str, float]:
    """The gauges that have arrived, as StatsD writes them: `prefix.name:value|g`."""
    found = {}
    try:
        while True:
            name, _, value = asked.recv(65536).decode().removeprefix("airflow.yuyan.").partition(":")
            found[name] = float(value.removesuffix("|g"))
    except BlockingIOError:
        return found


def test_airflows_own_metrics_carry_the_same_gauges_where_they_are_on(line, warehouse, monkeypatch):
    """A StatsD server on a socket; the task's process is set up as Airflow's task runner does it."""
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics.stats_utils import get_stats_factory

    sound(line)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        runs.close_run("new", "failed")
        assert received(server) == {}
        for name, value in {"ON": "True", "HOST": "127.0.0.1", "PORT": str(server.getsockname()[1])}.items():
            monkeypatch.setenv(f"AIRFLOW__METRICS__STATSD_{name}", value)
        stats.initialize(factory=get_stats_factory(), export_legacy_names=False)
        try:
            runs.close_run("new", "failed")
        finally:
            monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "False")
            stats.initialize(factory=get_stats_factory(), export_legacy_names=False)
        found = received(server)
    served = {".".join((g.name, *g.labels.values())): g.value for g in line_state.gauges(warehouse)}
    assert found.keys() == served.keys()
    assert {name: found[name] for name in found if "_age_" not in name} == pytest.approx(
        {name: served[name] for name in found if "_age_" not in name}
    )
    assert (found[f"institution_fresh.{OTHERS}"], found[f"institution_fresh.{LATE}"]) == (1, 0)
    assert f"institution_last_complete_seconds.{NEVER}" not in found
