"""The simulated city's warehouse: a connection to it, or to a copy that a test may change."""

import secrets

import psycopg
import pytest

from yuyan_demo.runtime import postgres


@pytest.fixture
def warehouse_of_city(simulated_city_dsn, simulated_city_home, monkeypatch) -> psycopg.Connection:
    """A connection to the city's warehouse, which the environment points to as well."""
    monkeypatch.setenv("YUYAN_HOME", str(simulated_city_home))
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", simulated_city_dsn)
    with psycopg.connect(simulated_city_dsn) as connection:
        yield connection


@pytest.fixture
def copy_of_city(pg_home, simulated_city_dsn, simulated_city_home, monkeypatch) -> psycopg.Connection:
    """A connection to a copy of the city's warehouse that a test may change."""
    name, original = f"copy_{secrets.token_hex(4)}", simulated_city_dsn.rsplit("/", 1)[1]
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [original]
        )
        connection.execute(f"create database {name} template {original}")
    dsn = postgres.dsn(pg_home, name)
    monkeypatch.setenv("YUYAN_HOME", str(simulated_city_home))
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", dsn)
    with psycopg.connect(dsn) as connection:
        yield connection
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")
