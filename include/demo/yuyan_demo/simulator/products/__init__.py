"""The four products through which the simulated platforms serve the population of a day (docs/platform-products.md)."""

from pathlib import Path
from typing import Any

from yuyan_demo.simulator.products import credentials, exchange, files, key_changes, state
from yuyan_demo.simulator.products.assignment import EXCHANGE, FILES, VERSIONED, product_of
from yuyan_demo.simulator.products.credentials import connection_env

__all__ = ["connection_env", "prepare"]


def prepare(home: Path, day: int, admin_dsn: str, seed: int = 0) -> dict[str, Any]:
    """Let the platforms of a home move on to a day whose state has been generated; safe to repeat.

    Writes secrets (once), the day's file deliveries and key changes, fills the exchange databases on the server of
    `admin_dsn` (a role that may create databases and roles), and tells the REST server last. `seed` fixes the day's
    faults. Returns {"connections": {conn_id: Airflow connection}, "deliveries": {inst: [names]}, "uncarried": [...]},
    where `uncarried` lists malformed values that an exchange database cannot hold. Raises FileNotFoundError when the
    state is missing.
    """
    institutions = state.institutions(home, day)
    held = credentials.ensure(home, institutions, admin_dsn)

    def running(product: str) -> list[str]:
        return [inst for inst in institutions if product_of(inst) == product]

    key_changes.write(home, day, running(VERSIONED))
    deliveries = files.drop(home, day, running(FILES), seed)
    uncarried = exchange.fill(home, day, running(EXCHANGE), held, admin_dsn)
    state.write_json(home / "simulator" / "current.json", {"day": day, "seed": seed})
    return {
        "connections": credentials.connections(home, held),
        "deliveries": deliveries,
        "uncarried": uncarried,
    }
