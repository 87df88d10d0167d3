"""Shared fixtures: one embedded PostgreSQL server per test run, a fresh warehouse or work folder per test."""

import secrets
from pathlib import Path

import psycopg
import pytest
from xdist.scheduler import LoadScopeScheduling

from support import scratch, units
from support.built_city import simulated_city, simulated_city_dsn, simulated_city_home  # noqa: F401 - fixtures
from support.parsed import parsed  # noqa: F401 - fixture
from support.signed_city import city, quick_schemes, signed_city  # noqa: F401 - fixtures
from yuyan.warehouse import ddl
from yuyan_demo.runtime import postgres


class UnitScheduling(LoadScopeScheduling):
    """A unit's tests go to one worker, with what its fixtures have built; see `make test`."""

    def _split_scope(self, nodeid: str) -> str:
        return units.unit(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log) -> UnitScheduling:
    return UnitScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long units first."""
    order = {name: place for place, name in enumerate(units.LONGEST)}
    items.sort(key=lambda item: order.get(units.unit(item.nodeid), len(order)))


@pytest.fixture(scope="session")
def pg_home() -> Path:
    """Data folder of a running cluster; stopped at the end of the run."""
    with scratch.folder("yuyan-pg-") as folder:
        data = Path(folder) / "pg"
        postgres.start(data)
        _forgetful(data)
        yield data
        postgres.stop(data)


def _forgetful(data: Path) -> None:
    """Nobody needs these databases after a crash: nothing is forced onto the disk, where dropping one waits a second."""
    with psycopg.connect(postgres.dsn(data), autocommit=True) as connection:
        for setting, value in {"fsync": "off", "full_page_writes": "off", "max_wal_size": "'512MB'"}.items():
            connection.execute(f"alter system set {setting} = {value}")
        connection.execute("select pg_reload_conf()")


@pytest.fixture(scope="session")
def pg_template(pg_home) -> str:
    """Name of a database with all tables, to copy: creating them costs seconds, copying them does not."""
    with psycopg.connect(postgres.create_database(pg_home, "test_template")) as connection:
        ddl.create(connection)
    return "test_template"


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    """An empty work folder (YUYAN_HOME) with a person-key secret."""
    monkeypatch.setenv("YUYAN_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("YUYAN_PERSON_KEY", "test-person-key")
    monkeypatch.delenv("YUYAN_LANDING", raising=False)
    return tmp_path / "home"


@pytest.fixture
def warehouse(pg_home, pg_template, work, monkeypatch) -> str:
    """URL of a fresh warehouse with all tables; YUYAN_WAREHOUSE_DSN points to it. Dropped afterwards."""
    name = f"test_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute(f"create database {name} template {pg_template} strategy file_copy")
    dsn = postgres.dsn(pg_home, name)
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", dsn)
    yield dsn
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")
