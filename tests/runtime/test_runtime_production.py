"""The commands of docker-compose.yml outside a container: against a real PostgreSQL, and a Redis server made of Python."""

import json
import secrets
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import psycopg
import pytest
from fakeredis import TcpFakeServer
from psycopg.conninfo import conninfo_to_dict

from yuyan import settings
from yuyan.domain import stewards, yaml_file
from yuyan.warehouse import line_roles, logins
from yuyan_demo.runtime import postgres, processes, sockets

pytestmark = pytest.mark.database

COMPOSE = yaml_file.read(settings.PROJECT / "docker-compose.yml")


@pytest.fixture(scope="module")
def broker():
    """Port of a Redis server in this process."""
    port = sockets.free()
    server = TcpFakeServer(("127.0.0.1", port))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield port
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def deployment(pg_home, broker, tmp_path_factory):
    """The Compose file's own variables, with addresses of this machine in place of the containers'."""
    home = tmp_path_factory.mktemp("production") / "home"
    names = {"warehouse": f"prod_{secrets.token_hex(4)}", "airflow": f"meta_{secrets.token_hex(4)}"}
    warehouse = postgres.create_database(pg_home, names["warehouse"])
    metadata = logins.dsn(postgres.dsn(pg_home, names["airflow"]), names["airflow"], "a-password")
    stages = line_roles.dsns(warehouse, dict.fromkeys(settings.STAGES, "a-password"))
    moved = {
        "YUYAN_HOME": str(home),
        "YUYAN_LANDING": str(home / "landing"),
        **{settings.dsn_variable(stage): dsn for stage, dsn in stages.items()},
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(settings.PROJECT / "dags"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "airflow" / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": metadata.replace("postgresql://", "postgresql+psycopg2://"),
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{metadata}",
        "AIRFLOW__CELERY__BROKER_URL": f"redis://127.0.0.1:{broker}/0",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(home / "logs" / "dag-processor"),
        "AIRFLOW__CORE__FERNET_KEY": "",
        "YUYAN_SIMULATED": "",
        "YUYAN_OPENLINEAGE": "",
        "YUYAN_INSTITUTIONS": str(settings.INSTITUTIONS),
        "YUYAN_PLATFORMS": str(settings.PLATFORMS),
        "YUYAN_STEWARDS": str(settings.PROJECT / "include" / "stewards.yml"),
        "YUYAN_ROLES": str(settings.PROJECT / "include" / "roles.yml"),
        "YUYAN_DISCLOSURE": str(settings.PROJECT / "include" / "disclosure.yml"),
        "YUYAN_SCHEMES": str(settings.PROJECT / "include" / "schemes"),
    }
    given = {
        name: value if "${" not in value else "x" * 64 for name, value in COMPOSE["x-environment"].items()
    }
    yield given | moved
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        for name in names.values():
            connection.execute(f"drop database if exists {name} with (force)")
        connection.execute(f"drop role if exists {names['airflow']}")


@pytest.fixture(scope="module")
def owner(pg_home, deployment):
    """What `init` and the city have besides: the owner's URL."""
    name = conninfo_to_dict(deployment["YUYAN_WAREHOUSE_DSN_DECIDE"])["dbname"]
    return {"YUYAN_WAREHOUSE_DSN": postgres.dsn(pg_home, name)}


@pytest.fixture(scope="module")
def initialised(command, deployment, owner):
    done = command(*COMPOSE["services"]["init"]["command"], **deployment, **owner)
    assert done.returncode == 0, done.stdout + done.stderr
    return deployment


def test_init_makes_what_the_services_find_and_may_be_repeated(command, initialised, owner):
    again = command(*COMPOSE["services"]["init"]["command"], **initialised, **owner)
    assert again.returncode == 0, again.stdout + again.stderr
    home = Path(initialised["YUYAN_HOME"])
    with psycopg.connect(
        initialised["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    ) as metadata:
        assert metadata.execute("select slots from slot_pool where pool = 'platforms'").fetchone() == (4,)
    with psycopg.connect(initialised["YUYAN_WAREHOUSE_DSN_DECIDE"]) as warehouse:
        assert warehouse.execute("select count(*) from ops.contract_field").fetchone()[0] > 100
        assert warehouse.execute(
            "select has_schema_privilege('bi_reader', 'published', 'usage')"
        ).fetchone() == (True,)
        assert warehouse.execute("select has_schema_privilege('bi_reader', 'raw', 'usage')").fetchone() == (
            False,
        )
    passwords = json.loads((home / "airflow" / "passwords.json").read_text())
    assert passwords["yuyan"] == "x" * 64
    assert passwords.keys() - {"yuyan"} == stewards.load().keys()
    assert len(set(passwords.values())) == len(passwords)
    assert (home / "dbt" / "manifest.json").exists()


@pytest.mark.parametrize(
    "variable", ["YUYAN_PERSON_KEY", "YUYAN_WAREHOUSE_DSN", "YUYAN_WAREHOUSE_DSN_VALIDATE"]
)
def test_init_refuses_to_start_without_a_secret(command, deployment, owner, variable):
    done = command("yuyan", "init", **deployment | owner | {variable: ""})
    assert done.returncode == 1
    assert variable in done.stderr
    assert "Traceback" not in done.stderr


def test_the_simulated_city_registers_its_platforms(command, initialised, owner):
    done = command(*COMPOSE["services"]["city"]["command"], "--scale", "0.002", **initialised, **owner)
    assert done.returncode == 0, done.stdout + done.stderr
    with psycopg.connect(
        initialised["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("+psycopg2", "")
    ) as metadata:
        found = dict(
            metadata.execute(
                "select conn_id, port from connection where conn_id like 'platform%%'"
            ).fetchall()
        )
    assert set(found) == {f"platform_{path.stem}" for path in settings.INSTITUTIONS.glob("*.yml")}
    assert 8100 in found.values()


def test_the_brokers_command_keeps_its_password_to_itself(clean_environment, tmp_path):
    """The command and health check of the Compose file on a Redis of this machine; only port and address are others."""
    server = shutil.which("redis-server") or shutil.which(
        "redis-check-rdb"
    )  # one program, which asks for its name
    if not server:
        pytest.skip("Redis is not installed (Debian: apt-get install redis-tools)")
    (tmp_path / "redis-server").symlink_to(server)
    service, port, password = COMPOSE["services"]["redis"], sockets.free(), secrets.token_hex(16)
    command = [word.replace("$$", "$") for word in service["command"]]
    command[-1] += f" --port {port} --bind 127.0.0.1"
    env = clean_environment | {"REDISCLI_AUTH": password, "PATH": f"{tmp_path}:{clean_environment['PATH']}"}
    _, client, *words = service["healthcheck"]["test"]
    ping = [client, "-p", str(port), *words]
    started = processes.start("redis", command, env, tmp_path)
    try:
        for _ in range(100):
            asked = subprocess.run(ping, env=env, capture_output=True, text=True)
            if asked.stdout == "PONG\n":
                break
            assert processes.find("redis", tmp_path), (tmp_path / "logs" / "redis.log").read_text()
            time.sleep(0.1)
        assert asked.stdout == "PONG\n", asked.stdout + asked.stderr
        refused = subprocess.run(ping, env=clean_environment, capture_output=True, text=True)
        assert "NOAUTH" in refused.stdout + refused.stderr
        lines = [" ".join(process.cmdline()) for process in processes.members(started)]
        assert len(lines) == 2  # the shell and the server
        assert not any(password in line for line in lines)
    finally:
        processes.stop(["redis"], tmp_path, patience=10)


def test_a_celery_worker_takes_work(initialised, clean_environment, tmp_path):
    """The worker of the Compose file starts, and answers the ping by which the Compose file watches it."""
    env = clean_environment | initialised
    processes.start("worker", COMPOSE["services"]["worker"]["command"], env, tmp_path)
    check = COMPOSE["services"]["worker"]["healthcheck"]["test"][1].replace("$$", "$")
    host = socket.gethostname()
    try:
        for _ in range(20):
            ping = subprocess.run(
                check, shell=True, env=env | {"HOSTNAME": host}, capture_output=True, text=True
            )
            if ping.returncode == 0:
                break
            assert processes.find("worker", tmp_path), (tmp_path / "logs" / "worker.log").read_text()
            time.sleep(1)
        assert "pong" in ping.stdout, ping.stdout + ping.stderr
    finally:
        processes.stop(["worker"], tmp_path, patience=10)
