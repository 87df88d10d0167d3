"""The simulated city beside a production deployment (`yuyan simulate`)."""

import json
import tempfile
from dataclasses import replace
from pathlib import Path

from yuyan import files, settings
from yuyan.commands.console import OperatorError
from yuyan.commands.init import airflow
from yuyan_demo.runtime import day as calendar
from yuyan_demo.simulator import products


def simulate(home: Path, seed: int | None, scale: float | None, port: int) -> calendar.State:
    """Let the simulated city move on by one day and register its platforms, served on `port`, as Airflow connections.

    The exchange databases go to the server of the warehouse, whose role must be allowed to create databases. Raises
    OperatorError where none is named.
    """
    try:
        warehouse = settings.warehouse_dsn(settings.OWNER)
    except KeyError as error:
        raise OperatorError(f"{error.args[0]}; name the deployment's warehouse, see .env.example") from None
    state = calendar.load(home, seed, scale)
    state = calendar.prepare(home, state, state.prepared + 1, warehouse)
    state = replace(state, done=state.prepared)
    calendar.save(home, state)
    found = products.connection_env(home, port)
    connections = {
        name.removeprefix("AIRFLOW_CONN_").lower(): json.loads(text) for name, text in found.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "connections.json"
        files.write(file, json.dumps(connections))
        airflow("connections", "import", "--overwrite", str(file))
    return state
