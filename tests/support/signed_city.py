"""A copy of the simulated city in which the commission has signed the data of every scheme; schemes that compute quickly."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from support.copies import copy_of
from yuyan import settings
from yuyan.allocate import guards, inputs, scheme
from yuyan.domain import stewards


@pytest.fixture(scope="session")
def signed_city(pg_home, simulated_city_dsn) -> Iterator[str]:
    """Its URL. Not to be changed: use `city`."""
    yield from copy_of(pg_home, simulated_city_dsn, sign_all)


@pytest.fixture
def city(signed_city) -> Iterator[str]:
    """The same for a test that changes it: what the test did to runs, sign-offs and institutions' values is taken back."""
    yield signed_city
    restore(signed_city)


def restore(dsn: str) -> None:
    """Bring the city back to where all data are signed and nothing was allocated."""
    with psycopg.connect(dsn) as connection:
        connection.execute("set session_replication_role = replica")  # the tables refuse changes otherwise
        tables = connection.execute(
            "select tablename from pg_tables where schemaname = 'allocation'"
        ).fetchall()
        connection.execute(f"truncate {', '.join(f'allocation.{t}' for (t,) in tables)}")
        connection.execute(
            "insert into allocation.sign_off overriding system value select * from kept_sign_off"
        )
        connection.execute("delete from marts.indicator_value where grain = 'institution'")
        connection.execute("insert into marts.indicator_value select * from kept_value")


def sign_all(dsn: str) -> None:
    """Sign the data of every shipped scheme, and keep what `restore` brings back."""
    with psycopg.connect(dsn) as connection:
        for name in scheme.names():
            read = inputs.read(connection, scheme.load(name))
            guards.sign(connection, read, stewards.find("jw-data-1"), "核对无误")
        connection.execute("create table kept_sign_off as select * from allocation.sign_off")
        connection.execute(
            "create table kept_value as select * from marts.indicator_value where grain = 'institution'"
        )


@pytest.fixture(scope="session")
def quick_schemes(tmp_path_factory) -> Path:
    """Folder of the shipped schemes with the fewest draws that a scheme may have; the money is the same."""
    folder = tmp_path_factory.mktemp("schemes") / "schemes"
    shutil.copytree(settings.PROJECT / "include" / "schemes", folder)
    default = folder / "default.yml"
    text = default.read_text(encoding="utf-8")
    quick = text.replace("draws: 5000", "draws: 1000").replace("  draws: 1000\n", "  draws: 100\n")
    assert quick.count("draws: 1000") == quick.count("  draws: 100\n") == 1
    default.write_text(quick, encoding="utf-8")
    return folder
