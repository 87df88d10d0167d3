"""A parsed project, and a warehouse with every layer built on a handful of records that can be counted by hand."""

import json
import secrets
from pathlib import Path

import psycopg
import pytest
import tiny

from yuyan import transform
from yuyan.warehouse import ddl
from yuyan_demo.runtime import postgres


@pytest.fixture(scope="session")
def dbt_home(tmp_path_factory, parsed) -> Path:
    """YUYAN_HOME of the session's dbt runs."""
    home = tmp_path_factory.mktemp("dbt-home")
    parsed(home)
    return home


@pytest.fixture(scope="session")
def manifest(dbt_home) -> dict:
    """dbt's manifest, parsed without a database."""
    return json.loads((dbt_home / "dbt" / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def built_dsn(pg_home, dbt_home) -> str:
    """A warehouse whose accepted records are those of `tiny`, with all layers built."""
    name = f"star_{secrets.token_hex(4)}"
    dsn = postgres.create_database(pg_home, name)
    with psycopg.connect(dsn) as connection:
        ddl.create(connection)
        tiny.load(connection)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YUYAN_HOME", str(dbt_home))
        patch.setenv("YUYAN_WAREHOUSE_DSN", dsn)
        for layer in transform.SELECTIONS:
            transform.run_layer(layer, "built", tiny.AS_OF)
    yield dsn
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def built(built_dsn, dbt_home, monkeypatch) -> psycopg.Connection:
    """A connection to the built warehouse, which the environment points to as well."""
    monkeypatch.setenv("YUYAN_HOME", str(dbt_home))
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", built_dsn)
    with psycopg.connect(built_dsn) as connection:
        yield connection
