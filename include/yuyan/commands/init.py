"""What a production deployment runs once, before its services start (`yuyan init`)."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
from psycopg import sql

from yuyan import secrets, settings
from yuyan.commands.console import OperatorError
from yuyan.domain import stewards
from yuyan.warehouse import ddl, roles

POOL, POOL_SLOTS, POOL_DESCRIPTION = "platforms", 4, "同时采集的单位数"
"""Airflow's pool of the mapped collection tasks."""

METADATA = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
REQUIRED = (METADATA, "YUYAN_WAREHOUSE_DSN", secrets.ENVIRONMENT["person_key"])


def init(home: Path) -> None:
    """Create or complete what the services find at their start: metadata, pool, tables, roles, login, dbt manifest.

    Everything comes from the environment; safe to repeat. Raises OperatorError naming a variable that is missing or the
    step that failed.
    """
    if missing := [name for name in REQUIRED if not os.environ.get(name)]:
        raise OperatorError(f"not set: {', '.join(missing)}; see .env.example")
    home.mkdir(parents=True, exist_ok=True)
    values = secrets.load(home, roles.readable())
    _metadata_database()
    airflow("db", "migrate")
    airflow("pools", "set", POOL, str(POOL_SLOTS), POOL_DESCRIPTION)
    if passwords := os.environ.get("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"):
        given = {settings.AIRFLOW_USER: values["airflow_password"]}
        secrets.write_passwords(Path(passwords), given, stewards.load())
    with psycopg.connect(settings.warehouse_dsn()) as connection:
        ddl.create(connection)
        roles.create(connection, values)
    from yuyan import transform

    transform.prepare_manifest()


def _metadata_database() -> None:
    from sqlalchemy.engine import make_url  # heavy, and every command imports this module

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


def airflow(*arguments: str) -> None:
    """Run Airflow's own command. Raises OperatorError with the end of its output when it fails."""
    done = subprocess.run([sys.executable, "-m", "airflow", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise OperatorError(
            f"airflow {' '.join(arguments)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
