"""The deployed line: an Airflow and a warehouse that this command reaches over the network and did not start.

`--airflow-url` or YUYAN_AIRFLOW_URL names the Airflow, YUYAN_AIRFLOW_USER (default: the operators' account) and
YUYAN_AIRFLOW_PASSWORD log in, YUYAN_WAREHOUSE_DSN names the warehouse. In the container `init` of docker-compose.yml all
are set.
"""

import os
from typing import Annotated, Any

import typer

from yuyan import secrets, settings
from yuyan.commands.airflow_api import Client
from yuyan.commands.console import OperatorError, warehouse_dsn
from yuyan.commands.follow import Line

AirflowUrl = Annotated[
    str | None,
    typer.Option(
        "--airflow-url",
        envvar="YUYAN_AIRFLOW_URL",
        help="Address of a deployed Airflow (default: the line of this work folder).",
    ),
]


def line(airflow_url: str, stage: str = "decide") -> Line:
    """The deployed line at this address, its warehouse as a stage's login reaches it. Raises OperatorError naming a variable
    that is missing.
    """
    if not airflow_url.startswith(("http://", "https://")):
        raise OperatorError(f"{airflow_url} is no address of an Airflow; it begins with http:// or https://")
    password = secrets.ENVIRONMENT["airflow_password"]
    missing = [] if settings.is_warehouse_given() else [settings.dsn_variable(settings.OWNER)]
    missing += [] if os.environ.get(password) else [password]
    if missing:
        raise OperatorError(
            f"{airflow_url} is a deployed Airflow, and {' and '.join(missing)} is not set: set it to the deployment's own, "
            "see .env.example"
        )
    base = airflow_url.rstrip("/")
    user = os.environ.get("YUYAN_AIRFLOW_USER", settings.AIRFLOW_USER)
    client = Client(base, user, os.environ[password])

    def log_of(dag_id: str, run_id: str, task: dict[str, Any]) -> str:
        mapped = f"/mapped/{task['map_index']}" if task["map_index"] >= 0 else ""
        return f"{base}/dags/{dag_id}/runs/{run_id}/tasks/{task['task_id']}{mapped}"

    return Line(client, warehouse_dsn(stage), lambda: None, log_of)
