"""Everything that runs: PostgreSQL, the simulated platforms and Airflow, started as processes that outlive the command."""

import fcntl
import importlib.metadata
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from yuyan import files, settings
from yuyan import secrets as secret_store
from yuyan.commands.airflow_api import Client
from yuyan.commands.console import OperatorError
from yuyan.commands.follow import Line
from yuyan.commands.init import POOL, POOL_DESCRIPTION, POOL_SLOTS
from yuyan.domain import institutions, stewards
from yuyan.warehouse import ddl, line_roles, logins, roles
from yuyan_demo.runtime import day as calendar
from yuyan_demo.runtime import environment, postgres, processes, sockets

AIRFLOW = {
    "api-server": ["api-server"],
    "dag-processor": ["dag-processor"],
    "triggerer": ["triggerer", "--skip-serve-logs"],
    "scheduler": ["scheduler", "--skip-serve-logs"],
}
"""Airflow's processes by the arguments that start them. Logs are read from the folder, not served on a port."""

PLATFORMS = "platforms"
NAMES = ("scheduler", "triggerer", "dag-processor", "api-server", PLATFORMS)
"""Services besides PostgreSQL, in the order in which they are asked to stop."""

PREPARATIONS = {
    "airflow-migrate": ["-m", "airflow", "db", "migrate"],
    "dbt-manifest": ["-c", "from yuyan.transform import prepare_manifest; prepare_manifest()"],
}
"""What must have run before Airflow's processes start, by Python's arguments."""

METADATA = "airflow"
"""Airflow's database and the login that owns it, which may nothing in the warehouse."""
READY_SECONDS = 180
MADE = (
    "pg", "pg.partial", "pg.unfinished", "pg.password", "airflow", "dbt", "dbt_docs", "data_docs", "docs", "feedback", "gx",
    "landing", "logs", "pids", "platforms", "simulator", "runtime.json", "secrets.json", "state.json",
)  # fmt: skip
"""Everything that runs write into the work folder; what is installed there is not among it."""


class RuntimeFailure(OperatorError):
    """A service that does not start or has gone; the message says which, where its log is and what to do."""


class NotReady(RuntimeFailure):
    """Services are not well after all the patience that there was, or have ended, `ill` by name."""

    def __init__(self, message: str, ill: list[str]) -> None:
        super().__init__(message)
        self.ill = ill


@dataclass(frozen=True)
class Runtime:
    """One work folder and what is needed to reach its services."""

    home: Path
    ports: dict[str, int]

    @cached_property
    def secrets(self) -> dict[str, str]:
        """Raises files.DamagedFile; who only looks or stops does without."""
        return secret_store.load(self.home, [*roles.readable(), *line_roles.load(), METADATA])

    @property
    def airflow_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['airflow']}"

    @property
    def warehouse_dsn(self) -> str:
        """The owner's URL: the given one, or the embedded server's. Raises RuntimeError when that is not running."""
        return os.environ.get("YUYAN_WAREHOUSE_DSN") or postgres.dsn(self.home / "pg", "warehouse")

    @property
    def stage_dsns(self) -> dict[str, str]:
        """Stage of the line -> the URL of its login: the given ones, or those made here."""
        return settings.stage_dsns() or line_roles.dsns(self.warehouse_dsn, self.secrets)

    @property
    def metadata_dsn(self) -> str:
        return logins.dsn(postgres.dsn(self.home / "pg", METADATA), METADATA, self.secrets[METADATA])

    def reader_dsn(self, role: str | None = None) -> str:
        """The URL of a read-only role: the first of include/roles.yml if none is named."""
        role = role or next(iter(roles.readable()))
        return logins.dsn(self.warehouse_dsn, role, self.secrets[role])

    def client(self) -> Client:
        return Client(self.airflow_url, settings.AIRFLOW_USER, self.secrets["airflow_password"])

    def line(self, check: Callable[[], None]) -> Line:
        """What a run is followed by; `check` looks after the services meanwhile."""
        return Line(self.client(), self.warehouse_dsn, check, self._log_of)

    def _log_of(self, dag_id: str, run_id: str, task: dict[str, Any]) -> str:
        folder = Path(self.home, "logs", "airflow", f"dag_id={dag_id}", f"run_id={run_id}")
        folder /= f"task_id={task['task_id']}"
        if task["map_index"] >= 0:
            folder /= f"map_index={task['map_index']}"
        return str(folder / f"attempt={task['try_number']}.log")


def warehouse_dsn(home: Path, stage: str) -> str:
    """A stage's or the owner's URL of a work folder's warehouse. Raises PostgresError when its server is not running."""
    runtime = load(home)
    return runtime.warehouse_dsn if stage == settings.OWNER else runtime.stage_dsns[stage]


def load(home: Path, remember: bool = False) -> Runtime:
    """The runtime of a work folder, with its remembered ports (free ones where a remembered port has been taken). Writes
    nothing unless its ports are to be remembered.
    """
    home = home.resolve()
    path = home / "runtime.json"
    try:
        ports = files.read_json(path, "") or {}
    except files.DamagedFile:
        ports = {}  # what runs tells its port, the rest gets another
    owners = {"postgres": None, "airflow": "api-server", PLATFORMS: PLATFORMS}
    for name, service in owners.items():
        process = (
            postgres.server(home / "pg")
            if service is None
            else processes.leader(processes.find(service, home))
        )
        if process is None and not sockets.is_free(ports.get(name)):
            ports[name] = sockets.free()
        elif name not in ports:
            ports[name] = sockets.of(process)
    if remember:
        home.mkdir(parents=True, exist_ok=True)
        files.write(path, json.dumps(ports))
    return Runtime(home, ports)


@contextmanager
def exclusive(home: Path) -> Iterator[None]:
    """Hold the work folder, so that two commands do not start or run the same things. Raises RuntimeFailure."""
    home.mkdir(parents=True, exist_ok=True)
    with open(home / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeFailure(
                f"another yuyan command is at work in {home}; wait for it or stop it"
            ) from None
        yield


def refuse_own_connections() -> None:
    """Raise RuntimeFailure where the environment has a connection of an institution's platform.

    This runtime connects every institution to its simulated platform and marks all that it makes as simulated, which what a
    real platform sends must never be.
    """
    wanted = {f"AIRFLOW_CONN_{i.connection.upper()}" for i in institutions.load().values()}
    if found := sorted(wanted & os.environ.keys()):
        raise RuntimeFailure(
            f"{', '.join(found)} is set, but this runtime reads its simulated platforms only and marks everything as "
            "simulated: unset it here; try the platform with `yuyan check`, and collect it in a deployment "
            "(docker-compose.yml)"
        )


def refuse_deployed(state: calendar.State) -> None:
    """Raise RuntimeFailure where a simulated city would get into a deployed line: its Airflow is named, or a warehouse
    that has runs of which this work folder knows nothing.
    """
    if url := os.environ.get("YUYAN_AIRFLOW_URL"):
        raise RuntimeFailure(
            f"YUYAN_AIRFLOW_URL names a deployed line ({url}), and this command starts a simulated city of its own: "
            "unset it, or use `yuyan status`, `replay`, `problem`, `hold`, which work there"
        )
    given = os.environ.get("YUYAN_WAREHOUSE_DSN")
    if not given or state.prepared:
        return
    with psycopg.connect(given) as warehouse:
        there = warehouse.execute("select to_regclass('ops.run') is not null").fetchone()[0]
        if there and warehouse.execute("select exists (select from ops.run)").fetchone()[0]:
            raise RuntimeFailure(
                "the warehouse of YUYAN_WAREHOUSE_DSN has runs that are not of this work folder: a simulated city would be "
                "mixed into them; name an empty database, or unset it for the embedded one"
            )


def start_databases(runtime: Runtime) -> None:
    """Start PostgreSQL and create what is missing: databases, control and raw tables, read-only roles."""
    pg = runtime.home / "pg"
    postgres.start(pg, runtime.ports["postgres"])
    postgres.create_database(pg, "warehouse")
    with psycopg.connect(postgres.create_database(pg, METADATA)) as metadata:
        logins.own_database(metadata, METADATA, runtime.secrets[METADATA])
    try:
        with psycopg.connect(runtime.warehouse_dsn) as connection:
            ddl.create(connection)
            line_roles.create(connection, runtime.stage_dsns)
            roles.create(connection, runtime.secrets)
    except psycopg.OperationalError as error:
        raise RuntimeFailure(f"the warehouse does not answer: {error}; check YUYAN_WAREHOUSE_DSN") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise RuntimeFailure(
            f"the role of YUYAN_WAREHOUSE_DSN lacks a right: {error}; it must own the database and have CREATEROLE"
        ) from error


def start_front(runtime: Runtime) -> None:
    """Start the processes of Airflow that need no platform: everything but the scheduler."""
    env = variables(runtime)
    secret_store.write_passwords(
        runtime.home / "airflow" / "passwords.json",
        {settings.AIRFLOW_USER: runtime.secrets["airflow_password"]},
        stewards.load(),
    )
    _prepare(runtime.home, env)
    for name, arguments in AIRFLOW.items():
        if name != "scheduler":
            processes.start(name, [sys.executable, "-m", "airflow", *arguments], env, runtime.home)


def start_scheduler(runtime: Runtime, connections: dict[str, str]) -> None:
    """Start the scheduler. `connections` are the AIRFLOW_CONN_* variables of the platforms; its tasks inherit them."""
    command = [sys.executable, "-m", "airflow", *AIRFLOW["scheduler"]]
    processes.start("scheduler", command, variables(runtime) | connections, runtime.home)


def start_platforms(runtime: Runtime) -> None:
    """Start the simulated platforms of the prepared day."""
    command = [sys.executable, "-m", "yuyan_demo.simulator", "serve", "--home", str(runtime.home)]
    command += ["--port", str(runtime.ports[PLATFORMS])]
    processes.start(PLATFORMS, command, environment.inherited(), runtime.home)


def wait_until_ready(runtime: Runtime, seconds: float) -> None:
    """Wait until every service answers and the DAGs are there; create the pool and switch the DAGs on.

    Raises NotReady, also for a service that is gone; RuntimeFailure for DAGs that do not appear.
    """
    client = runtime.client()
    deadline = time.monotonic() + seconds
    while True:
        for name in NAMES:
            _require(name, runtime.home)
        health = client.health()
        if (
            health
            and all(status == "healthy" for status in health.values())
            and sockets.answers(runtime.ports[PLATFORMS])
        ):
            break
        if time.monotonic() > deadline:
            said = health or "no answer"
            ill = [name for name in AIRFLOW if health.get(name.replace("-", "_"), "healthy") != "healthy"]
            raise NotReady(
                f"not ready after {seconds:.0f} s: {said}; see {runtime.home / 'logs'}",
                ill if health else ["api-server"],
            )
        time.sleep(0.2)
    client.set_pool(POOL, POOL_SLOTS, POOL_DESCRIPTION)
    expected = {path.stem for path in (settings.PROJECT / "dags").glob("*.py")}
    while absent := _absent(expected, dags := client.dags()):
        if errors := client.import_errors(processes.find("dag-processor", runtime.home).born_at):
            raise RuntimeFailure("DAG files with errors:\n" + "\n".join(errors))
        if time.monotonic() > deadline:
            raise RuntimeFailure(f"DAGs {sorted(absent)} do not appear; see logs/dag-processor.log")
        time.sleep(0.3)
    for dag_id, is_paused in dags.items():
        if is_paused:
            client.unpause(dag_id)


def _absent(files: set[str], dags: dict[str, bool]) -> set[str]:
    """DAG files of which no DAG is there: of some there is one per institution, `override_10611`."""
    return {file for file in files if not any(d == file or d.startswith(f"{file}_") for d in dags)}


def missing(home: Path) -> list[str]:
    """Names of the services that do not run."""
    absent = [name for name in NAMES if processes.find(name, home) is None]
    return absent if postgres.is_running(home / "pg") else ["postgres", *absent]


def status(home: Path) -> list[dict[str, Any]]:
    """Per service: name, is_running, pid, address, log and memory in MB (shared pages counted once), PostgreSQL first."""
    runtime = load(home)
    addresses = {"api-server": runtime.airflow_url, PLATFORMS: f"http://127.0.0.1:{runtime.ports[PLATFORMS]}"}
    pg = postgres.server(home / "pg")
    rows = [
        {
            "name": "postgres",
            "is_running": pg is not None,
            "pid": pg.pid if pg else None,
            "address": f"127.0.0.1:{runtime.ports['postgres']}",
            "memory_mb": processes.memory([pg, *pg.children()]) / 1e6 if pg else None,
            "log": str(home / "pg" / "server.log"),
        }
    ]
    for name in reversed(NAMES):
        service = processes.find(name, home)
        rows.append(
            {
                "name": name,
                "is_running": service is not None,
                "pid": service.pid if service else None,
                "address": addresses.get(name),
                "memory_mb": processes.memory(processes.members(service)) / 1e6 if service else None,
                "log": str(home / "logs" / f"{name}.log"),
            }
        )
    return rows


def down(home: Path) -> list[str]:
    """Stop everything of this work folder; returns what was running."""
    stopped = processes.stop([*NAMES, *PREPARATIONS], home)
    if postgres.is_running(home / "pg"):
        postgres.stop(home / "pg")
        stopped.append("postgres")
    return stopped


def clean(home: Path) -> list[str]:
    """Stop everything and remove what runs have made; returns the names removed. Only known names are touched."""
    down(home)
    removed = []
    for name in MADE:
        path = home / name
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            path.unlink()
        else:
            continue
        removed.append(name)
    return removed


def variables(runtime: Runtime) -> dict[str, str]:
    """The environment of Airflow and of everything that its tasks start, without the platforms' connections."""
    known = environment.airflow(runtime.home, runtime.secrets, runtime.metadata_dsn, runtime.ports["airflow"])
    known.pop(settings.dsn_variable(settings.OWNER), None)  # no task connects as the owner
    return known | {
        **{settings.dsn_variable(stage): dsn for stage, dsn in runtime.stage_dsns.items()},
        "YUYAN_LANDING": settings.landing(),
        **settings.landing_connection(),
        "YUYAN_PERSON_KEY": runtime.secrets["person_key"],
        "YUYAN_COLLECT_SCHEDULE": "",
        "YUYAN_HOUSEKEEPING_SCHEDULE": "",
        "YUYAN_SIMULATED": f"{calendar.load(runtime.home).scale:.10g}",
    }


def _prepare(home: Path, env: dict[str, str]) -> None:
    """Migrate Airflow's database and prepare the dbt manifest, side by side, each only when it is out of date."""
    version = importlib.metadata.version("apache-airflow-core")
    stamp, prepared = home / "airflow" / "migrated", home / "dbt" / "prepared"
    sources = [p for p in settings.DBT_PROJECT.rglob("*") if p.suffix in (".sql", ".yml", ".csv")]
    due = []
    if not stamp.exists() or stamp.read_text() != version:
        due.append("airflow-migrate")
    if not prepared.exists() or prepared.stat().st_mtime < max(p.stat().st_mtime for p in sources):
        due.append("dbt-manifest")
    commands = {name: [sys.executable, *PREPARATIONS[name]] for name in due}
    for name in processes.run(commands, env, home):
        raise RuntimeFailure(f"{name} failed:\n{_tail(home / 'logs' / f'{name}.log')}")
    files.write(stamp, version)
    if "dbt-manifest" in due:
        files.write(prepared, "")


def _require(name: str, home: Path) -> None:
    if processes.find(name, home) is None:
        log = home / "logs" / f"{name}.log"
        raise NotReady(f"{name} has ended while starting:\n{_tail(log)}\nThe whole log is {log}.", [name])


def _tail(log: Path, lines: int = 15) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
