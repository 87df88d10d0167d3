"""`yuyan run` for real: what it says and leaves, replay, a platform that is down all day, and everything stops."""

import contextlib
import json
import os
import time
from datetime import date
from pathlib import Path

import polars as pl
import psutil
import psycopg
import pytest
from typer.testing import CliRunner

from support.city import SCALE
from yuyan import settings
from yuyan.commands.airflow_api import Client
from yuyan.commands.cli import app
from yuyan.domain import indicators, institutions, yaml_file
from yuyan_demo.runtime import postgres, processes, services

pytestmark = [pytest.mark.end_to_end, pytest.mark.database]


@pytest.fixture
def home(city) -> Path:
    return city.home


@pytest.fixture
def yuyan(city):
    return city.yuyan


def everybody(home: Path) -> list[psutil.Process]:
    """Every process of the home's services."""
    server = postgres.server(home / "pg")
    found = [server, *server.children(recursive=True)]
    for name in services.NAMES:
        found += processes.members(processes.find(name, home))
    return found


def listening(crowd: list[psutil.Process]) -> set[tuple[str, int]]:
    """(address, port) that these processes listen on."""
    connections = []
    for process in crowd:
        with contextlib.suppress(psutil.NoSuchProcess):  # a task that has ended meanwhile
            connections += process.net_connections(kind="inet")
    return {(c.laddr.ip, c.laddr.port) for c in connections if c.status == psutil.CONN_LISTEN}


def test_the_first_day_ends_with_what_a_reader_wants_to_know(first):
    said = first.output
    tables = ("全市主要指标", "H01", "H15", "各单位数据质量", "重庆大学", "对账：", "平衡", "用时（秒）")
    for expected in (
        *tables,
        "2026-10-15",
        "Airflow：",
        "数仓（只读）：postgresql://bi_reader:",
        "质量文档：",
        "单位反馈：",
    ):
        assert expected in said, expected
    assert said.count("模拟数据 / SIMULATED") >= 3
    assert f"SCALE={SCALE}" in said


def test_indicators_and_quality_are_there_for_programs(yuyan, first):
    scorecard = json.loads(yuyan("indicators", "--json").stdout)
    assert scorecard["mark"] == "模拟数据 / SIMULATED"
    codes = [row["indicator_code"] for row in scorecard["indicators"]]
    assert codes[:15] == [f"H{n:02}" for n in range(1, 16)]
    assert codes == sorted(indicators.load())
    quality = json.loads(yuyan("quality", "--json").stdout)["rows"]
    files = {path.stem for path in settings.INSTITUTIONS.glob("*.yml")}
    assert {row["inst_code"] for row in quality} == files
    assert all(row["outcome"] == "success" for row in quality)
    worst = max(quality, key=lambda row: row["open_rows"])
    rules = json.loads(yuyan("quality", "--institution", worst["inst_code"], "--json").stdout)["rows"]
    assert sum(rule["failed"] for rule in rules) >= worst["open_rows"] > 0


def test_every_stage_left_its_time(city, first):
    stages = {stage for (stage,) in city.rows("select stage from ops.stage_result")}
    assert stages == {
        "collect",
        "validate",
        "reconcile",
        "docs",
        "star",
        "indicators",
        "estimate",
        "assess",
        "warn",
        "changes",
        "marts",
        "disclosure",
        "feedback",
    }
    runs = city.rows("select kind, as_of, state from ops.run where as_of = '2026-10-15' order by kind")
    assert runs == [("collect", date(2026, 10, 15), "success"), ("warehouse", date(2026, 10, 15), "success")]


def test_everything_listens_on_loopback_only(home, first):
    addresses = listening(everybody(home))
    assert len(addresses) >= 3
    assert {address for address, _ in addresses} == {"127.0.0.1"}


def test_secret_files_are_for_their_owner(home, first):
    for name in (
        "secrets.json",
        "state.json",
        "pg.password",
        "airflow/passwords.json",
        "simulator/credentials.json",
    ):
        assert (home / name).stat().st_mode & 0o077 == 0, name


def test_what_a_run_leaves_is_for_its_owner(home, first):
    """Folders above the database may have the search bit, which its server needs where that is another user (root)."""
    open_to_others = [
        path
        for path in home.rglob("*")
        if not path.is_symlink() and path.stat().st_mode & (0o076 if path.is_dir() else 0o077)
    ]
    assert open_to_others == []


def test_status_names_every_service(yuyan, first):
    status = json.loads(yuyan("status", "--json").stdout)
    assert status["is_up"]
    assert status["days_done"] >= 1
    assert [part["name"] for part in status["services"]] == ["postgres", *reversed(services.NAMES)]
    assert sum(part["memory_mb"] for part in status["services"]) < 6000


@pytest.fixture
def deployed(city, monkeypatch) -> dict[str, str]:
    """The environment of a person at another machine: the addresses of this line, taken as a deployed one."""
    runtime = services.load(city.home)
    variables = {
        "YUYAN_AIRFLOW_URL": runtime.airflow_url,
        "YUYAN_AIRFLOW_PASSWORD": runtime.secrets["airflow_password"],
        "YUYAN_WAREHOUSE_DSN": city.owner(),
        "YUYAN_INSTITUTIONS": str(city.institutions),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


def test_a_deployed_line_is_asked_and_no_city_is_started_in_it(first, deployed, tmp_path, monkeypatch):
    monkeypatch.setenv("YUYAN_HOME", str(tmp_path / "elsewhere"))
    status = json.loads(CliRunner().invoke(app, ["status", "--json"]).output)
    assert (status["is_up"], status["stuck"]) == (True, [])
    assert {row["inst_code"] for row in status["institutions"] if row["is_fresh"]} == set(
        institutions.codes()
    )
    for command in ("hold", "problem"):
        assert CliRunner().invoke(app, [command, "list", "--json"]).exit_code == 0
    refused = CliRunner().invoke(app, ["run"])
    assert (refused.exit_code, "names a deployed line" in refused.output) == (1, True)
    monkeypatch.delenv("YUYAN_AIRFLOW_URL")
    refused = CliRunner().invoke(app, ["run"])
    assert (refused.exit_code, "not of this work folder" in refused.output) == (1, True)


@pytest.mark.long
def test_a_deployed_line_is_collected_again_from_elsewhere(city, first, deployed, tmp_path, monkeypatch):
    """The command follows until what came was judged and published, and says what the rows came to."""
    monkeypatch.setenv("YUYAN_HOME", str(tmp_path / "elsewhere"))
    before = city.rows("select count(*) from ops.run")[0][0]
    asked = ["replay", "recollect", "--institution", "10611", "--entity", "org_unit", "--json"]
    done = CliRunner().invoke(app, asked)
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["state"], said["balance"]["unbalanced"]) == ("success", 0)
    runs = city.rows(f"select kind, state, run_id from ops.run order by started_at offset {before}")
    assert [run[:2] for run in runs] == [("replay", "success"), ("warehouse", "success")]
    came = city.rows(
        f"select src_inst_code, entity, outcome from ops.collection_result where run_id = '{runs[0][2]}'"
    )
    assert set(came) >= {("10611", "org_unit", "success")}
    assert {row[0] for row in came} == {"10611"}


def test_a_steward_logs_in_and_sees_two_dags(home, first, deployed):
    passwords = json.loads((home / "airflow" / "passwords.json").read_text())
    steward = Client(deployed["YUYAN_AIRFLOW_URL"], "data-10611-1", passwords["data-10611-1"])
    assert set(steward.dags()) == {"override_10611", "accountability_10611"}
    commission = Client(deployed["YUYAN_AIRFLOW_URL"], "jw-data-1", passwords["jw-data-1"])
    of_all = {f"{kind}_{code}" for kind in ("override", "accountability") for code in institutions.codes()}
    assert set(commission.dags()) == of_all


def test_a_bi_tool_reads_the_published_layers_and_no_more(city, first):
    dsn = city.dsn("bi_reader")
    with psycopg.connect(dsn, autocommit=True) as connection:
        assert connection.execute("select count(*) from published.indicator_value").fetchone()[0] > 0
        assert (
            connection.execute("select count(*) from published.v_city where value is not null").fetchone()[0]
            > 30
        )
        assert connection.execute(
            "select obj_description('published.target_scorecard'::regclass)"
        ).fetchone()[0]
        for forbidden in (
            "select * from raw.student",
            "select * from star.dim_student",
            "select * from marts.indicator_value",
            "select * from indicators.ind_value",
            "select * from quality.row_failure",
            "create table published.mine ()",
        ):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)):
                connection.execute(forbidden)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(dsn.replace("/warehouse", "/airflow"))
    assert city.rows("select count(*) from quality.rule")[0][0] > 0


def test_another_city_in_the_same_folder_is_refused(yuyan, first):
    done = yuyan("run", "--seed", "7")
    assert done.returncode == 1
    assert "make clean" in done.stderr
    assert "Traceback" not in done.stderr


def test_on_the_second_day_only_changes_travel(city, second):
    assert "2026-10-16" in second.output
    received = dict(
        city.rows(
            "select r.as_of, sum(b.rows_stored)::int from ops.batch b join ops.run r using (run_id) group by 1",
        )
    )
    assert 0 < received[date(2026, 10, 16)] < received[date(2026, 10, 15)] / 5
    assert city.rows("select count(*) from ops.reconciliation where not is_balanced") == [(0,)]


def test_a_changed_mapping_is_replayed_from_landing(city, home, second, monkeypatch):
    """Nothing is collected: a code that the institution's file maps anew changes rows that came days ago."""
    from yuyan.load.replay import remap

    runtime = services.load(home)
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", runtime.warehouse_dsn)
    monkeypatch.setenv("YUYAN_INSTITUTIONS", str(city.institutions))
    legacy = next(p for p in city.institutions.glob("*.yml") if yaml_file.read(p)["product"] == "rest-legacy")
    day = date(2026, 10, 16)
    assert remap(legacy.stem, "replay-same", day)["batches"] == 0
    agreed = legacy.read_text(encoding="utf-8")
    legacy.write_text(agreed + 'codes: {gender: {男: "9"}}\n', encoding="utf-8")
    first = remap(legacy.stem, "replay-changed", day, ["student"])
    assert first["batches"] > 0
    assert 0 < first["rows_stored"] < first["rows_received"]
    assert remap(legacy.stem, "replay-again", day, ["student"])["batches"] == 0
    newest = city.rows("select rows_stored from ops.batch where run_id = 'replay-changed'")
    assert sum(stored for (stored,) in newest) == first["rows_stored"]
    legacy.write_text(agreed, encoding="utf-8")
    assert remap(legacy.stem, "replay-back", day, ["student"])["rows_stored"] == first["rows_stored"]


def test_a_row_lost_from_the_warehouse_is_found(home, second, monkeypatch):
    from yuyan.validate.reconcile import ReconciliationError, reconcile

    runtime = services.load(home)
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", runtime.warehouse_dsn)
    with psycopg.connect(runtime.warehouse_dsn, autocommit=True) as warehouse:
        batch, lost = warehouse.execute(
            "select batch_id, min(raw_id) from raw.student join quality.judged using (batch_id) "
            "where entity = 'student' group by 1 order by 1 limit 1"
        ).fetchone()
        warehouse.execute(
            "insert into ops.run (run_id, kind, as_of, started_at) "
            "values ('broken', 'warehouse', '2026-10-16', '2026-10-16')"
        )
        warehouse.execute("create table kept as select * from raw.student where raw_id = %s", [lost])
        warehouse.execute("delete from raw.student where raw_id = %s", [lost])
        try:
            with pytest.raises(ReconciliationError, match=batch):
                reconcile("broken")
        finally:
            warehouse.execute("insert into raw.student overriding system value select * from kept")
            warehouse.execute("drop table kept")
        assert reconcile("broken") > 0


DOWN = "10652"
"""The institution whose platform is down on the third day."""


@pytest.fixture(scope="module")
def third(city, second) -> dict:
    """What the command said that took a day up again: a platform is down, the command was killed while Airflow went on, and
    collections of earlier days end while the day's warehouse run works."""
    home, dsn = city.home, city.owner()
    client, switch = services.load(home).client(), home / "simulator" / "down.json"
    newest = "(select max(as_of) from ops.run where kind = 'collect')"
    done = city.rows("select max(as_of) from ops.run where kind = 'collect'")[0][0]
    switch.write_text(json.dumps([DOWN]))
    try:
        command = city.start("run")
        until(dsn, f"select {newest} > '{done}'")
        command.kill()
        command.wait()
        for number, day in enumerate(("2026-10-16", "2026-10-15")):
            conf = {"as_of": day, "institutions": ["10611"], "entities": ["org_unit"]}
            client.trigger("collect", f"earlier-{number}", conf)
        again = city.yuyan("run", "--json")
    finally:
        switch.unlink()
    assert again.returncode == 0, again.stdout + again.stderr
    until(dsn, "select count(*) = 2 from ops.run where run_id ~ '^earlier' and state = 'success'")
    while client.is_busy("collect") or client.is_busy("warehouse"):
        time.sleep(0.2)
    assert "采集" in again.stderr
    return json.loads(again.stdout)


def until(dsn: str, query: str) -> None:
    """Wait until a query of the warehouse says true; a line that stands still must fail and not hang."""
    with psycopg.connect(dsn, autocommit=True) as warehouse:
        for _ in range(6000):
            if warehouse.execute(query).fetchone()[0]:
                return
            time.sleep(0.2)
    pytest.fail(f"never came true: {query}")


@pytest.mark.long
def test_a_platform_down_all_day_stops_nobody_else(city, third):
    assert (third["state"], third["failures"], third["as_of"]) == ("partial", [], "2026-10-17")
    assert [line.startswith(DOWN) for line in third["unfinished"]] == [True]
    today = "(select run_id from ops.run where kind = 'collect' and as_of = '2026-10-17')"
    outcomes = dict(
        city.rows(
            "select src_inst_code, outcome from ops.collection_result where entity = '' and run_id in "
            + today,
        )
    )
    assert outcomes.pop(DOWN) == "failed"
    assert outcomes.keys() == institutions.load().keys() - {DOWN}
    assert set(outcomes.values()) == {"success"}
    assert city.rows("select max(as_of)::text from marts.indicator_value") == [("2026-10-17",)]
    true = pl.read_parquet(city.truth(3) / "accepted.parquet")
    with psycopg.connect(city.owner()) as warehouse:
        for entity in ("commissioned_receipt", "practice_participation", "student"):
            counted = (
                f"select src_inst_code, count(*) from accepted.{entity} where src_inst_code <> %s group by 1"
            )
            held = dict(warehouse.execute(counted, [DOWN]).fetchall())
            expected = true.filter((pl.col("entity") == entity) & (pl.col("src_inst_code") != DOWN))
            assert held == dict(expected.select("src_inst_code", "rows").rows())


@pytest.mark.long
def test_an_interrupted_day_is_taken_up_and_what_is_collected_meanwhile_is_judged_on_the_newest(city, third):
    day = date(2026, 10, 17)
    assert city.rows(f"select count(*) from ops.run where kind = 'collect' and as_of = '{day}'") == [(1,)]
    days = city.rows("select as_of from ops.run where kind = 'warehouse' order by started_at desc limit 1")
    assert days == [(day,)]
    assert city.rows("select max(as_of) from marts.indicator_value") == days
    with psycopg.connect(city.owner()) as warehouse:
        unjudged = warehouse.execute(
            "select batch_id from ops.batch b left join quality.judged j using (entity, batch_id) "
            "where b.rows_stored > 0 and j.batch_id is null"
        ).fetchall()
    assert unjudged == []


def test_down_leaves_nothing_running(home, yuyan, second):
    crowd = everybody(home)
    assert len(crowd) > 10
    done = yuyan("down", "--json")
    assert set(json.loads(done.stdout)["stopped"]) == {"postgres", *services.NAMES}
    assert not [p for p in crowd if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert not [p for p in psutil.process_iter() if str(home) in " ".join(_command_line(p))]
    status = json.loads(yuyan("status", "--json").stdout)
    assert not any(part["is_running"] for part in status["services"])
    assert yuyan("indicators").returncode == 1
    assert yuyan("down").returncode == 0


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline() if process.pid != os.getpid() else []
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return []
