"""What a production deployment runs once (`yuyan init`), and the simulated city beside one (`yuyan simulate`)."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from yuyan import settings
from yuyan.runtime import day as calendar
from yuyan.runtime import environment, secrets, services
from yuyan.warehouse import ddl, roles

METADATA = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
REQUIRED = (
    METADATA,
    "YUYAN_WAREHOUSE_DSN",
    *(secrets.ENVIRONMENT[n] for n in ("person_key", "bi_reader", "analyst", "auditor")),
)


def init(home: Path) -> None:
    """Create or complete what the services find at their start: metadata, pool, tables, roles, login, dbt manifest.

    Everything comes from the environment; safe to repeat. Raises RuntimeFailure naming a variable that is missing or the
    step that failed.
    """
    if missing := [name for name in REQUIRED if not os.environ.get(name)]:
        raise services.RuntimeFailure(f"not set: {', '.join(missing)}; see .env.example")
    home.mkdir(parents=True, exist_ok=True)
    held = secrets.load(home)
    _metadata_database()
    _airflow("db", "migrate")
    _airflow("pools", "set", services.POOL, str(services.POOL_SLOTS), services.POOL_DESCRIPTION)
    if passwords := os.environ.get("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"):
        secrets.write(Path(passwords), json.dumps({environment.USER: held["airflow_password"]}))
    with psycopg.connect(settings.warehouse_dsn()) as connection:
        ddl.create(connection)
        roles.create(connection, held)
    from yuyan import transform

    transform.prepare_manifest()


def simulate(home: Path, seed: int | None, scale: float | None, port: int) -> calendar.State:
    """Let the simulated city move on by one day and register its platforms, served on `port`, as Airflow connections.

    The exchange databases go to the server of the warehouse, whose role must be allowed to create databases.
    """
    from yuyan.simulator import products

    state = calendar.load(home, seed, scale)
    state = calendar.prepare(home, state, state.prepared + 1, settings.warehouse_dsn())
    state = replace(state, done=state.prepared)
    calendar.save(home, state)
    found = products.connection_env(home, port)
    connections = {
        name.removeprefix("AIRFLOW_CONN_").lower(): json.loads(text) for name, text in found.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "connections.json"
        secrets.write(file, json.dumps(connections))
        _airflow("connections", "import", "--overwrite", str(file))
    return state


def _metadata_database() -> None:
    url = make_url(os.environ[METADATA])
    if url.get_backend_name() != "postgresql":
        return
    server = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)
    with psycopg.connect(server, autocommit=True) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", [url.database]).fetchone():
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(url.database)))
        connection.execute(
            sql.SQL("revoke connect on database {} from public").format(sql.Identifier(url.database))
        )


def _airflow(*arguments: str) -> None:
    done = subprocess.run([sys.executable, "-m", "airflow", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise services.RuntimeFailure(
            f"airflow {' '.join(arguments)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
