"""Services that outlive their starter, and end with everything they forked."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from yuyan import secrets
from yuyan_demo.runtime import processes, services

FAMILY = textwrap.dedent(
    """
    import os, pathlib, signal, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_DFL if sys.argv[2] == "polite" else signal.SIG_IGN)
    for _ in range(2):
        if os.fork() == 0:
            os.setpgid(0, 0)
            break
    else:
        pathlib.Path(sys.argv[1]).write_text("ready")
    time.sleep(600)
    """
)


def start_family(home: Path, manners: str = "polite", name: str = "family") -> processes.Service:
    """A service with two forked children in process groups of their own, as a task's supervisor makes them."""
    ready = home / f"{name}.ready"
    service = processes.start(name, [sys.executable, "-c", FAMILY, str(ready), manners], os.environ, home)
    while not ready.exists():
        time.sleep(0.02)
    return service


@pytest.fixture
def home(tmp_path):
    yield tmp_path
    processes.stop([path.stem for path in (tmp_path / "pids").glob("*.json")], tmp_path, patience=0.1)


def test_a_service_is_started_once(home):
    service = start_family(home)
    assert processes.start("family", ["false"], os.environ, home) == service
    assert processes.find("family", home) == service
    assert len(processes.members(service)) == 3


def test_stopping_ends_what_the_service_forked(home):
    crowd = processes.members(start_family(home))
    assert processes.stop(["family", "never-started"], home, patience=1) == ["family"]
    assert not [p for p in crowd if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert processes.find("family", home) is None


def test_who_does_not_listen_is_killed(home):
    crowd = processes.members(start_family(home, "stubborn"))
    processes.stop(["family"], home, patience=0.2)
    assert not [p for p in crowd if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_orphans_of_a_dead_service_are_stopped(home):
    service = start_family(home)
    crowd = processes.members(service)
    psutil.Process(service.pid).kill()
    psutil.Process(service.pid).wait()
    assert processes.find("family", home) is None
    assert len(processes.members(service)) == 2
    assert processes.stop(["family"], home, patience=0.2) == []
    assert not [p for p in crowd if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_orphans_of_one_that_nobody_has_asked_how_it_ended_are_stopped(home):
    """Whoever follows a run has started the services: one that is killed meanwhile stays in the table of processes."""
    crowd = processes.members(service := start_family(home))
    os.kill(service.pid, signal.SIGKILL)
    while psutil.Process(service.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.02)
    assert processes.find("family", home) is None
    (home / "family.ready").unlink()
    again = start_family(home)
    assert not [p for p in crowd if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    assert len(processes.members(again)) == 3


def test_a_process_that_got_the_same_id_is_left_alone(home):
    bystander = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )
    try:
        record = home / "pids" / "old.json"
        held = asdict(start_family(home)) | {"name": "old", "pid": bystander.pid}
        record.write_text(json.dumps(held | {"uptime": held["uptime"] - 3600}))
        assert processes.find("old", home) is None
        assert processes.stop(["old"], home, patience=0.2) == []
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


@pytest.mark.parametrize("step", [-7200, 7200])
def test_a_service_is_known_when_the_clock_has_been_put(home, monkeypatch, step):
    service = start_family(home)
    crowd, boot_time = processes.members(service), psutil.boot_time() + step
    for module in (psutil, psutil._psplatform):  # what the kernel then says
        monkeypatch.setattr(module, "boot_time", lambda: boot_time)
    assert processes.find("family", home) == service
    assert processes.members(service) == crowd
    assert processes.stop(["family"], home, patience=1) == ["family"]
    assert not [p for p in crowd if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_services_outlive_the_command_that_started_them(home):
    code = (
        "import os, sys; from pathlib import Path; from yuyan_demo.runtime import processes; "
        "processes.start('lasting', [sys.executable, '-c', 'import time; time.sleep(600)'], os.environ, Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, str(home)], check=True)
    assert processes.find("lasting", home) is not None


def test_what_is_run_to_its_end_says_how_it_ended_and_leaves_no_record(home):
    commands = {name: [sys.executable, "-c", f"exit({code})"] for name, code in (("good", 0), ("bad", 3))}
    assert processes.run(commands, os.environ, home) == ["bad"]
    assert processes.run({"good": commands["good"]}, os.environ, home) == []
    assert list((home / "pids").iterdir()) == []


@pytest.mark.parametrize("name", services.PREPARATIONS)
def test_down_ends_a_preparation_whose_command_was_killed(home, name):
    code = (
        "import os, sys; from pathlib import Path; from yuyan_demo.runtime import processes; "
        "command = [sys.executable, '-c', 'import time; time.sleep(600)']; "
        "processes.run({sys.argv[2]: command}, os.environ, Path(sys.argv[1]))"
    )
    waiting = subprocess.Popen([sys.executable, "-c", code, str(home), name])
    while not (home / "pids" / f"{name}.json").exists():
        assert waiting.poll() is None
        time.sleep(0.02)
    waiting.kill()
    waiting.wait()
    crowd = processes.members(processes.find(name, home))
    assert len(crowd) == 1
    assert services.down(home) == [name]
    assert not [p for p in crowd if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_secrets_are_for_their_owner_only_and_stay_the_same(home, monkeypatch):
    for variable in (*secrets.ENVIRONMENT.values(), "YUYAN_ANALYST_PASSWORD", "YUYAN_AUDITOR_PASSWORD"):
        monkeypatch.delenv(variable, raising=False)
    readers = ["analyst", "auditor"]
    first = secrets.load(home, readers)
    assert (home / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert secrets.load(home, readers) == first
    assert set(first) == {*secrets.ENVIRONMENT, *readers}
    assert len(set(first.values())) == len(first)
    assert len(first["jwt_secret"]) >= 64
    assert secrets.load(home / "another", readers) != first


def test_a_secret_given_by_the_environment_is_used_and_not_written(home, monkeypatch):
    monkeypatch.setenv("YUYAN_PERSON_KEY", "given-by-the-deployment")
    assert secrets.load(home)["person_key"] == "given-by-the-deployment"
    assert "given-by-the-deployment" not in (home / "secrets.json").read_text()


def test_a_password_stays_the_same_until_its_account_goes(home):
    path = home / "passwords.json"
    secrets.write_passwords(path, {"yuyan": "given"}, ["one", "two"])
    first = json.loads(path.read_text())
    secrets.write_passwords(path, {"yuyan": "another"}, ["two", "three"])
    second = json.loads(path.read_text())
    assert set(second) == {"yuyan", "two", "three"}
    assert second["two"] == first["two"] != first["one"]
    assert second["yuyan"] == "another"
    assert path.stat().st_mode & 0o777 == 0o600


def test_only_one_command_works_in_a_folder(home):
    with services.exclusive(home), pytest.raises(services.RuntimeFailure, match="another yuyan command"):  # noqa: SIM117
        with services.exclusive(home):
            pass


def test_clean_removes_what_runs_made_and_nothing_else(home):
    for name in ("venv", "landing", "logs", "my-notes"):
        (home / name).mkdir()
    (home / "state.json").write_text("{}")
    assert services.clean(home) == ["landing", "logs", "state.json"]
    assert sorted(path.name for path in home.iterdir()) == ["my-notes", "venv"]
