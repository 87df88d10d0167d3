"""Shared fixtures: one embedded PostgreSQL server per test run, a fresh warehouse or work folder per test."""

import secrets
from pathlib import Path

import psycopg
import pytest
from xdist.scheduler import LoadScopeScheduling

from support import scratch
from support.built_city import simulated_city, simulated_city_dsn, simulated_city_home  # noqa: F401 - fixtures
from support.signed_city import city, quick_schemes, signed_city  # noqa: F401 - fixtures
from yuyan.warehouse import ddl
from yuyan_demo.runtime import postgres

ONE_CITY = ("indicators", "marts", "allocate", "pages/test_allocation_looked_at")
"""What reads the built city: one worker builds it once."""

SHARED = ("end_to_end", "dbt", "pages")
"""Rooms whose tests share what takes long to make: each goes to one worker."""

ON_ITS_OWN = ("end_to_end/test_problems_through",)
"""Files of such a room that use nothing of it."""

LONGEST = (
    "end_to_end",
    "city",
    "validate/test_add_an_entity",
    "runtime/test_runtime_production",
    "pages",
    "validate/test_judging",
    "quality/test_overrides_in_validation",
    "dbt",
    "simulator/test_truth",
    "quality/test_overridden_rows_downstream",
    "end_to_end/test_problems_through",
    "collect/test_simulated_city",
)
"""Units from the longest on (docs/performance.md): workers begin with them and fill up with the rest, so that both end
together."""


def unit(nodeid: str) -> str:
    """What one worker runs: `marts/test_x` of `tests/marts/test_x.py::test_y`, the room `marts`, or several rooms."""
    file = nodeid.split("::")[0].removeprefix("tests/").removesuffix(".py")
    room = file.split("/")[0]
    if file in ONE_CITY or room in ONE_CITY:
        return "city"
    return room if room in SHARED and file not in ON_ITS_OWN else file


class UnitScheduling(LoadScopeScheduling):
    """A unit's tests go to one worker, with what its fixtures have built; see `make test`."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log) -> UnitScheduling:
    return UnitScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long units first. Refuses a test that would have the city built a second time."""
    for item in items:
        if "simulated_city_dsn" in getattr(item, "fixturenames", ()) and unit(item.nodeid) != "city":
            raise pytest.UsageError(
                f"{item.nodeid} reads the built city: add its file to ONE_CITY of tests/conftest.py"
            )
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(unit(item.nodeid), len(order)))


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
