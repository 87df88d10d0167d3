"""What is left of an interruption: half-made clusters, emptied state files, what a killed service forked."""

import contextlib
import json
import os
import shutil
import threading
import time
from pathlib import Path

import psutil
import psycopg
import pytest
from test_runtime_processes import start_family
from typer.testing import CliRunner

from support import scratch
from yuyan import files, secrets
from yuyan.commands.cli import app
from yuyan_demo.runtime import day, postgres, processes, services


@pytest.fixture
def home():
    """A work folder where the server's user may enter; what runs in it is stopped."""
    with scratch.folder("yuyan-recovery-") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        yield home
        processes.stop([path.stem for path in (home / "pids").glob("*.json")], home, patience=0.1)
        postgres.stop(home / "pg")


@pytest.fixture(scope="module")
def cluster() -> Path:
    """A cluster with a database of ours, running; every test leaves it as it was."""
    with scratch.folder("yuyan-cluster-") as folder:
        data = Path(folder) / "home" / "pg"
        postgres.start(data)
        postgres.create_database(data, "warehouse")
        yield data
        postgres.stop(data)


def test_a_cluster_whose_creation_was_interrupted_is_made_anew(home):
    data = home / "pg"
    for remnant in (data, home / "pg.partial"):
        (remnant / "base" / "1").mkdir(parents=True)
        (remnant / "PG_VERSION").write_text("16\n")
    (data / "postgresql.conf").write_text("")
    postgres.start(data)
    with psycopg.connect(postgres.dsn(data)) as connection:
        assert connection.execute("show timezone").fetchone() == ("Asia/Shanghai",)
    assert (home / "pg.unfinished" / "PG_VERSION").exists()
    assert not (home / "pg.partial").exists()


def test_a_cluster_with_data_is_never_made_anew(cluster):
    postgres.stop(cluster)
    (cluster / "postmaster.opts").unlink()
    postgres.start(cluster)
    with psycopg.connect(postgres.dsn(cluster)) as connection:
        names = {name for (name,) in connection.execute("select datname from pg_database")}
    assert "warehouse" in names
    assert not cluster.with_name("pg.unfinished").exists()


def test_a_restored_copy_that_was_never_started_is_left_alone(home):
    data = home / "pg"
    (data / "base" / "1").mkdir(parents=True)
    (data / "backup_label").write_text("")
    with pytest.raises(postgres.PostgresError):
        postgres.start(data)
    assert (data / "backup_label").exists()


def test_a_server_whose_process_file_is_empty_is_found_used_and_stopped(cluster):
    port = postgres.start(cluster)
    process = postgres.server(cluster)
    (cluster / "postmaster.pid").write_text("")
    assert postgres.server(cluster) == process
    assert postgres.start(cluster) == port
    psycopg.connect(postgres.dsn(cluster)).close()
    postgres.stop(cluster)
    assert not postgres.is_running(cluster)
    postgres.start(cluster)


def test_a_server_of_another_folder_that_got_the_id_is_left_alone(cluster, tmp_path):
    postgres.start(cluster)
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(cluster / "postmaster.pid", other)
    assert postgres.server(other) is None
    postgres.stop(other)
    assert postgres.is_running(cluster)


def test_a_server_that_recovers_from_a_killed_process_is_waited_for(cluster):
    port = postgres.start(cluster)
    for _ in range(3):
        with psycopg.connect(postgres.dsn(cluster)) as connection:
            psutil.Process(connection.info.backend_pid).kill()
        time.sleep(0.05)
        assert postgres.start(cluster) == port
        psycopg.connect(postgres.dsn(cluster)).close()


def test_a_server_starts_where_a_busy_process_of_a_killed_one_is_left(cluster):
    postgres.start(cluster)
    first = postgres.server(cluster)
    with psycopg.connect(postgres.dsn(cluster)) as connection:
        busy = psutil.Process(connection.info.backend_pid)
        query = ["select count(*) from generate_series(1, 100000000000)"]
        asking = threading.Thread(
            target=pytest.raises, args=(psycopg.OperationalError, connection.execute, *query)
        )
        asking.start()
        time.sleep(0.3)
        first.kill()
        while postgres.is_running(cluster):
            time.sleep(0.01)
        try:
            postgres.start(cluster)
            assert not busy.is_running()
        finally:
            with contextlib.suppress(psutil.NoSuchProcess):
                busy.kill()
            asking.join()
    psycopg.connect(postgres.dsn(cluster)).close()


def test_a_lost_password_is_named(cluster):
    password = cluster.with_name("pg.password")
    kept = password.read_text()
    password.write_text("")
    with pytest.raises(postgres.PostgresError, match=r"pg\.password is empty"):
        postgres.dsn(cluster)
    password.write_text(kept)


def test_what_a_killed_service_forked_ends_before_the_next_starts(home):
    old = start_family(home)
    crowd = processes.members(old)
    psutil.Process(old.pid).kill()
    psutil.Process(old.pid).wait()
    (home / "family.ready").unlink()
    assert start_family(home) != old
    assert not [p for p in crowd if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"name": "family"}'])
def test_a_service_whose_record_is_damaged_is_found_by_its_mark(home, damage):
    service = start_family(home)
    (home / "pids" / "family.json").write_text(damage)
    assert processes.find("family", home).pid == service.pid
    crowd = processes.members(service)
    assert processes.stop(["family"], home, patience=1) == ["family"]
    assert not [p for p in crowd if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_a_service_is_found_without_any_record_also_when_its_leader_is_gone(home):
    service = start_family(home)
    crowd = processes.members(service)
    shutil.rmtree(home / "pids")
    psutil.Process(service.pid).kill()
    psutil.Process(service.pid).wait()
    assert processes.stop(["family"], home, patience=0.2) == []
    assert not [p for p in crowd if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


STATE = (
    "runtime.json",
    "state.json",
    "secrets.json",
    "pg.password",
    "pids/scheduler.json",
    "pg/postmaster.pid",
    "airflow/passwords.json",
    "simulator/credentials.json",
)


@pytest.mark.parametrize("content", ["", '{"'])
def test_status_down_and_clean_end_without_a_traceback_whatever_was_emptied(home, monkeypatch, content):
    monkeypatch.setenv("YUYAN_HOME", str(home))
    for path in (home / name for name in STATE):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    status = CliRunner().invoke(app, ["status", "--json"])
    assert status.exit_code == 0, status.output
    (damaged,) = json.loads(status.stdout)["damaged"]
    assert f"{home / 'state.json'} is empty or damaged" in damaged
    for verb in ("down", "clean", "down"):
        done = CliRunner().invoke(app, [verb])
        assert done.exit_code == 0, done.output
    assert not [name for name in STATE if (home / name).exists()]


@pytest.mark.parametrize("name", ["state.json", "secrets.json"])
def test_what_cannot_be_drawn_again_is_not(home, name):
    (home / name).write_text("")
    with pytest.raises(files.DamagedFile, match="make clean"):
        day.load(home) if name == "state.json" else secrets.load(home)
    assert (home / name).read_text() == ""


def test_a_lost_port_is_read_off_the_running_server(cluster):
    home = cluster.parent
    (home / "runtime.json").write_text("")
    assert services.load(home).ports["postgres"] == postgres.start(cluster)


def test_a_file_is_whole_or_the_old_one(home, monkeypatch):
    path = home / "kept.json"
    files.write(path, "old")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        files.write(path, "new")
    assert path.read_text() == "old"
    assert path.stat().st_mode & 0o777 == 0o600
