"""Run every service's command of docker-compose.yml in the built images, and ask each as the file's health checks do.

Run by lanes/test_image.py in namespaces of its own for network and processes, since containers with chroot isolation share
their caller's: what a service leaves behind (Celery's worker a log server) ends with them. PostgreSQL is the embedded server
and Redis one made of Python: their images are other people's.
"""

import contextlib
import fcntl
import json
import os
import re
import secrets
import shutil
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import psycopg
import yaml
from fakeredis import TcpFakeServer

from yuyan import settings
from yuyan.warehouse import line_roles, logins
from yuyan_demo.runtime import postgres

COMPOSE = yaml.safe_load((settings.PROJECT / "docker-compose.yml").read_text())
UID = 50000
AIRFLOW = ("api-server", "dag-processor", "triggerer", "scheduler", "worker")
PATIENCE = 600
A_COLLECTION = (
    "insert into ops.run (run_id, kind, as_of, started_at) values ('lane', 'collect', current_date, now())"
)
"""As the line books one that has begun: with it the line moves, so that the monitor's health check says yes."""
made: list[str] = []
"""Containers, to be removed."""
containers: dict[str, str] = {}
"""Service -> its container, in which its health check runs."""


def main(product: str, demo: str, folder: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:  # loopback is down in a new namespace
        fcntl.ioctl(s, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))
    home = folder / "home"
    home.mkdir()
    os.chown(home, UID, UID)
    postgres.start(folder / "pg", 5432)
    broker = TcpFakeServer(("127.0.0.1", 6379))
    broker.daemon_threads = True
    threading.Thread(target=broker.serve_forever, daemon=True).start()
    owner = {"YUYAN_WAREHOUSE_DSN": postgres.create_database(folder / "pg", "warehouse")}
    env = environment(owner["YUYAN_WAREHOUSE_DSN"])
    running: dict[str, subprocess.Popen] = {}
    try:
        once("init", product, of("init", env | owner), home)
        for name in (*AIRFLOW, "monitor"):
            running[name] = start(name, product, of(name, env), home, folder)
        for name in AIRFLOW:
            healthy(name, product, of(name, env), home, running, folder)
        airflow = httpx.get("http://127.0.0.1:8080/api/v2/monitor/health").json()
        states = {name: part["status"] for name, part in airflow.items()}
        assert list(states.values()) == ["healthy"] * 4, states
        told("http://127.0.0.1:9464/health", 503, "还没有任何采集\n")
        with psycopg.connect(owner["YUYAN_WAREHOUSE_DSN"], autocommit=True) as warehouse:
            warehouse.execute(A_COLLECTION)
            healthy("monitor", product, of("monitor", env), home, running, folder)
            warehouse.execute("delete from ops.run")
        assert "yuyan_stuck" in httpx.get("http://127.0.0.1:9464/metrics", timeout=60).text
        once("city", demo, of("city", env | owner) | {"SCALE": "0.002"}, home)
        running["platforms"] = start("platforms", demo, of("platforms", env), home, folder)
        healthy("platforms", demo, of("platforms", env), home, running, folder)
        assert (found := readable_by_others(home)) == [], found[:20]
        print("every service's command ran in its image:", ", ".join(["init", "city", *running]))
        print("the file's own health check said yes:", ", ".join(running))
        print(
            "the monitor's first said that nothing had been collected, and yes when a collection was booked"
        )
        print("nobody else may read what they wrote below /var/lib/yuyan")
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            process.kill()
        subprocess.run(["buildah", "rm", *made], capture_output=True)
        postgres.stop(folder / "pg")


def told(url: str, status: int, text: str) -> None:
    """Wait until this is what is answered there."""
    deadline, said = time.monotonic() + PATIENCE, "nobody answers"
    while said != f"{status} {text}":
        assert time.monotonic() < deadline, f"{url}: {said}"
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(url, timeout=60)
            said = f"{answer.status_code} {answer.text}"
        time.sleep(1)


def readable_by_others(home: Path) -> list[str]:
    """Files and folders below the work folder that others than their account may read, write or enter: by the image's umask
    there are none."""
    found = []
    for folder, folders, names in os.walk(home):
        for path in (Path(folder, name) for name in (*folders, *names)):
            with contextlib.suppress(FileNotFoundError):  # gone meanwhile
                mode = path.lstat().st_mode
                if not stat.S_ISLNK(mode) and mode & 0o077:
                    found.append(f"{stat.filemode(mode)} {path}")
    return found


def environment(warehouse: str) -> dict[str, str]:
    """The file's own variables, with addresses of this namespace and drawn secrets."""
    stages = line_roles.dsns(warehouse, dict.fromkeys(settings.STAGES, secrets.token_hex(16)))
    metadata = logins.dsn(warehouse, "airflow", secrets.token_hex(16)).replace("/warehouse", "/airflow")
    given = {name: _without_env_file(value) for name, value in COMPOSE["x-stages"].items()}
    given |= {settings.dsn_variable(stage): dsn for stage, dsn in stages.items()}
    return given | {
        "YUYAN_PERSON_KEY_VERSION": "1",
        "YUYAN_COLLECT_SCHEDULE": "",
        "YUYAN_LANDING": "/var/lib/yuyan/landing",
        "YUYAN_OPENLINEAGE": "",
        "YUYAN_SIMULATED": "0.002",
        "YUYAN_AIRFLOW_URL": "http://127.0.0.1:8080",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://127.0.0.1:8080/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata.replace("postgresql://", "postgresql+psycopg2://"),
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{metadata}",
        "AIRFLOW__CELERY__BROKER_URL": "redis://127.0.0.1:6379/0",
        "AIRFLOW__CORE__FERNET_KEY": "",
    }


def of(name: str, env: dict[str, str]) -> dict[str, str]:
    """Of all variables those that the file gives a service."""
    return {key: env[key] for key in COMPOSE["services"][name].get("environment", {})}


def _without_env_file(value: str) -> str:
    """A value of the file where nothing is set in .env: its default, or a drawn secret where it has none."""
    default = re.fullmatch(r"\$\{\w+:?-(.*)\}", value)
    return default[1] if default else secrets.token_hex(32) if "${" in value else value


def command(
    image: str, env: dict[str, str], home: Path, words: list[str], container: str | None = None
) -> list[str]:
    """`words` in a container (a new one), as the image's user, through its entry point, with the file's mounts."""
    if container is None:
        done = subprocess.run(["buildah", "from", image], capture_output=True, text=True, check=True)
        container = done.stdout.strip()
        made.append(container)
    done = subprocess.run(["buildah", "inspect", container], capture_output=True, text=True, check=True)
    entry = json.loads(done.stdout)
    env = env | {
        "HOSTNAME": entry["ContainerID"][:12]
    }  # the name that the container has in its own namespace
    mounts = [f"{home}:/var/lib/yuyan"]
    for mount in COMPOSE["x-project"]["volumes"][1:]:
        source, _, rest = mount.partition(":-")[2].partition("}:")
        mounts.append(f"{settings.PROJECT / source}:{rest}")
    options = [part for mount in mounts for part in ("--volume", mount)]
    options += [part for name, value in env.items() for part in ("--env", f"{name}={value}")]
    program = [*entry["OCIv1"]["config"]["Entrypoint"], *words]
    return ["buildah", "run", "--isolation", "chroot", *options, container, "--", *program]


def once(name: str, image: str, env: dict[str, str], home: Path) -> None:
    done = subprocess.run(
        command(image, env, home, words(name)), capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, f"{name}: {done.stdout[-3000:]}{done.stderr[-3000:]}"


def words(name: str) -> list[str]:
    return [word.replace("$$", "$") for word in COMPOSE["services"][name]["command"]]


def start(name: str, image: str, env: dict[str, str], home: Path, folder: Path) -> subprocess.Popen:
    started = command(image, env, home, words(name))
    containers[name] = made[-1]
    with open(folder / f"{name}.log", "wb") as log:
        return subprocess.Popen(started, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


def healthy(
    name: str, image: str, env: dict[str, str], home: Path, running: dict[str, subprocess.Popen], folder: Path
) -> None:
    """Wait until the file's own health check of the service says yes, in its own container."""
    kind, *test = COMPOSE["services"][name]["healthcheck"]["test"]
    check = [word.replace("$$", "$") for word in (["sh", "-c", test[0]] if kind == "CMD-SHELL" else test)]
    asked, deadline = command(image, env, home, check, containers[name]), time.monotonic() + PATIENCE
    while True:
        done = subprocess.run(asked, capture_output=True, text=True)
        if done.returncode == 0:
            return
        log = (folder / f"{name}.log").read_text(errors="replace")[-3000:]
        assert running[name].poll() is None, f"{name} has ended: {log}"
        assert time.monotonic() < deadline, (
            f"{name} is not healthy: {done.stdout[-500:]}{done.stderr[-500:]}\n{log}"
        )
        time.sleep(2)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
    shutil.rmtree(Path(sys.argv[3]) / "pg")
