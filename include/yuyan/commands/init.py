"""What a production deployment runs once, before its services start (`yuyan init`)."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from yuyan import secrets, settings
from yuyan.commands.console import OperatorError
from yuyan.disclosure import policy
from yuyan.domain import stewards
from yuyan.domain.yaml_file import YamlError
from yuyan.warehouse import ddl, line_roles, logins, roles

POOL, POOL_SLOTS, POOL_DESCRIPTION = "platforms", 4, "同时采集的单位数"
"""Airflow's pool of the mapped collection tasks."""

METADATA = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
REQUIRED = (METADATA, settings.dsn_variable(settings.OWNER), secrets.ENVIRONMENT["person_key"])


def init(home: Path) -> bool:
    """Create or complete what the services find at their start: metadata, pool, tables, logins, dbt manifest.

    Everything comes from the environment; safe to repeat. Returns whether the stages have logins of their own: where the
    environment gives the owner's URL alone, all of them connect as the owner. Raises OperatorError naming a variable that is
    missing, what the disclosure policy lacks, or the step that failed.
    """
    if missing := [name for name in REQUIRED if not os.environ.get(name)]:
        raise OperatorError(f"not set: {', '.join(missing)}; see .env.example")
    try:
        stages = settings.stage_dsns()
    except KeyError as error:
        raise OperatorError(error.args[0]) from None
    try:
        policy.load()  # an own file may be of a version before; the line would find out at its last stage
    except (policy.PolicyError, YamlError) as error:
        raise OperatorError(str(error)) from None
    home.mkdir(parents=True, exist_ok=True)
    values = secrets.load(home, roles.readable())
    metadata_database()
    airflow("db", "migrate")
    airflow("pools", "set", POOL, str(POOL_SLOTS), POOL_DESCRIPTION)
    if passwords := os.environ.get("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"):
        given = {settings.AIRFLOW_USER: values["airflow_password"]}
        secrets.write_passwords(Path(passwords), given, stewards.load())
    with psycopg.connect(settings.warehouse_dsn(settings.OWNER)) as connection:
        ddl.create(connection)
        if stages:
            line_roles.create(connection, stages)
        roles.create(connection, values)
    from yuyan import transform

    transform.prepare_manifest()
    return bool(stages)


def metadata_database() -> None:
    """Make Airflow's database, and its login if that is another than the warehouse's owner on the same server."""
    from sqlalchemy.engine import make_url  # heavy, and commands that start services import this module

    url = make_url(os.environ[METADATA])
    if url.get_backend_name() != "postgresql":
        return
    owner = make_url(settings.warehouse_dsn(settings.OWNER))
    is_made_here = (owner.host, owner.port or 5432) == (
        url.host,
        url.port or 5432,
    ) and owner.username != url.username
    maker = (owner if is_made_here else url).set(drivername="postgresql", query={})
    with _connected(maker.set(database="postgres")) as connection:
        if not connection.execute("select 1 from pg_database where datname = %s", [url.database]).fetchone():
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(url.database)))
    with _connected(maker.set(database=url.database)) as connection:
        if is_made_here:
            logins.own_database(connection, url.username, url.password)
        else:
            revoke = sql.SQL("revoke connect on database {} from public")
            connection.execute(revoke.format(sql.Identifier(url.database)))


def _connected(url: Any) -> psycopg.Connection:
    return psycopg.connect(url.render_as_string(hide_password=False), autocommit=True)


def airflow(*arguments: str) -> None:
    """Run Airflow's own command. Raises OperatorError with the end of its output when it fails."""
    done = subprocess.run([sys.executable, "-m", "airflow", *arguments], capture_output=True, text=True)
    if done.returncode:
        raise OperatorError(
            f"airflow {' '.join(arguments)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
