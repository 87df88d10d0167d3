"""Secrets of the simulated platforms (`<home>/simulator/credentials.json`, mode 0600) and the connections made of them."""

import json
import secrets
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from yuyan_demo.simulator.products import state
from yuyan_demo.simulator.products.assignment import EXCHANGE, FILES, LEGACY, VERSIONED, product_of

PATHS = {VERSIONED: "/versioned", LEGACY: "/legacy"}


def path(home: Path) -> Path:
    """Where the secrets of a home are."""
    return home / "simulator" / "credentials.json"


def ensure(home: Path, institutions: list[str], admin_dsn: str) -> dict[str, Any]:
    """The secrets of a home, made once per institution and kept.

    Shape: {"home": random id of this home, "exchange": {"host", "port"},
    "institutions": {code: {"client_id", "client_secret", "api_key", "database_password"}}}.
    """
    held = state.read_json(path(home), {"home": secrets.token_hex(8), "institutions": {}})
    server = conninfo_to_dict(admin_dsn)
    held["exchange"] = {"host": server.get("host", "127.0.0.1"), "port": int(server.get("port") or 5432)}
    for inst in institutions:
        if inst not in held["institutions"]:
            held["institutions"][inst] = {
                "client_id": f"yuyan-{inst}",
                "client_secret": secrets.token_urlsafe(24),
                "api_key": secrets.token_urlsafe(24),
                "database_password": secrets.token_urlsafe(24),
            }
    state.write_json(path(home), held)
    return held


def connections(home: Path, held: dict[str, Any], rest_port: int | None = None) -> dict[str, dict[str, Any]]:
    """Airflow connections by id (`platform_<inst>`), in the shape of Airflow's JSON connections.

    Without `rest_port` the REST connections have no port yet: the server has not been started.
    """
    return {
        f"platform_{inst}": _connection(home, inst, secret, held["exchange"], rest_port)
        for inst, secret in sorted(held["institutions"].items())
    }


def connection_env(home: Path, rest_port: int) -> dict[str, str]:
    """Environment variables AIRFLOW_CONN_PLATFORM_<INST> for every platform of this home, as JSON text.

    Raises FileNotFoundError when no day has been prepared.
    """
    if (held := state.read_json(path(home), None)) is None:
        raise FileNotFoundError(f"{path(home)} does not exist; prepare a day first")
    return {
        f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(connection)
        for conn_id, connection in connections(home, held, rest_port).items()
    }


def database(inst: str) -> str:
    """Name of an institution's exchange database."""
    return f"exchange_{inst}"


def reader(inst: str) -> str:
    """Name of the role that may read an institution's exchange database."""
    return f"exchange_{inst}_reader"


def file_folder(home: Path, inst: str) -> Path:
    """Folder into which an institution drops its deliveries."""
    return home.resolve() / "platforms" / "files" / inst


def _connection(
    home: Path, inst: str, secret: dict[str, str], exchange: dict[str, Any], rest_port: int | None
) -> dict[str, Any]:
    product = product_of(inst)
    if product == FILES:
        return {"conn_type": "fs", "extra": {"path": str(file_folder(home, inst))}}
    if product == EXCHANGE:
        return {
            "conn_type": "postgres",
            **exchange,
            "schema": database(inst),
            "login": reader(inst),
            "password": secret["database_password"],
        }
    rest = {
        "conn_type": "http",
        "host": "127.0.0.1",
        "schema": "http",
        "extra": {"path": f"{PATHS[product]}/{inst}"},
    }
    if rest_port is not None:
        rest["port"] = rest_port
    if product == VERSIONED:
        return rest | {"login": secret["client_id"], "password": secret["client_secret"]}
    return rest | {"password": secret["api_key"]}
