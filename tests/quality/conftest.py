"""A fresh warehouse: one to fill and judge, and one in which findings are made up."""

import secrets
from collections.abc import Iterator

import psycopg
import pytest
from made_up import publish_rules
from small_world import Raw

from yuyan_demo.runtime import postgres


@pytest.fixture
def raw(warehouse) -> Iterator[Raw]:
    """A warehouse with nothing in it, and the helper that fills and judges it."""
    helper = Raw(warehouse)
    yield helper
    helper.connection.close()


@pytest.fixture(scope="session")
def empty_dsn(pg_home, pg_template) -> Iterator[str]:
    """A warehouse that stays empty, for tests that take everything back."""
    name = f"quality_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as admin:
        admin.execute(f"create database {name} template {pg_template} strategy file_copy")
        yield postgres.dsn(pg_home, name)
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def connection(empty_dsn) -> Iterator[psycopg.Connection]:
    """A connection to a warehouse with nothing in it; what the test writes is taken back."""
    with psycopg.connect(empty_dsn) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def world(connection) -> psycopg.Connection:
    """The same with the rules of `made_up`."""
    publish_rules(connection)
    return connection
