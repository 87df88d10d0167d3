"""A small simulated city whose accepted records are loaded as validation leaves them, with all layers built on it."""

import hashlib
import io
import secrets
from pathlib import Path

import polars as pl
import psycopg
import pytest

from yuyan import contracts, transform
from yuyan.runtime import postgres
from yuyan.simulator import population
from yuyan.warehouse import ddl

SCALE, DAY = 0.004, 2


@pytest.fixture(scope="session")
def city() -> population.Population:
    """The city on day 2: defects planted on both days, late changes, deletions."""
    return population.build(scale=SCALE, day=DAY)


@pytest.fixture(scope="session")
def dbt_home(tmp_path_factory) -> Path:
    """YUYAN_HOME of the dbt runs here."""
    return tmp_path_factory.mktemp("indicators-home")


@pytest.fixture(scope="session")
def city_dsn(pg_home, dbt_home, city) -> str:
    """URL of the city's warehouse, all layers built and tested by dbt."""
    name = f"city_{secrets.token_hex(4)}"
    dsn = postgres.create_database(pg_home, name)
    with psycopg.connect(dsn) as connection:
        ddl.create(connection)
        for entity in contracts.load():
            load(connection, entity, city.accepted(entity), str(city.as_of))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YUYAN_HOME", str(dbt_home))
        patch.setenv("YUYAN_WAREHOUSE_DSN", dsn)
        result = transform.invoke(["build", "--exclude-resource-type", "unit_test"], city.as_of)
    failed = [(r.node.name, r.message) for r in result.result.results if str(r.status) in transform.FAILED]
    assert failed == []
    yield dsn
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def warehouse_of_city(city_dsn, dbt_home, monkeypatch) -> psycopg.Connection:
    """A connection to the city's warehouse, which the environment points to as well."""
    monkeypatch.setenv("YUYAN_HOME", str(dbt_home))
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", city_dsn)
    with psycopg.connect(city_dsn) as connection:
        yield connection


@pytest.fixture
def copy_of_city(pg_home, city_dsn, dbt_home, monkeypatch) -> psycopg.Connection:
    """A connection to a copy of the city's warehouse that a test may change."""
    name, original = f"copy_{secrets.token_hex(4)}", city_dsn.rsplit("/", 1)[1]
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [original]
        )
        connection.execute(f"create database {name} template {original}")
    dsn = postgres.dsn(pg_home, name)
    monkeypatch.setenv("YUYAN_HOME", str(dbt_home))
    monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", dsn)
    with psycopg.connect(dsn) as connection:
        yield connection
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


def load(connection: psycopg.Connection, entity: str, frame: pl.DataFrame, as_of: str) -> None:
    """Put accepted records (text columns, certificate numbers still in them) into raw and accepted of one entity."""
    contract = contracts.load()[entity]
    for field in contract.fields:
        if field.privacy == "pseudonymise":
            digest = pl.col(field.name).map_elements(
                lambda v: hashlib.sha256(v.encode()).hexdigest(), pl.String
            )
            frame = frame.with_columns(digest.alias(field.becomes))
    derived = [f.name for f in contract.columns if f.name not in frame.columns]
    frame = frame.with_columns(pl.lit("1").alias(name) for name in derived)
    fields = [f.name for f in contract.columns]
    rows = frame.select(
        "src_inst_code",
        "src_record_id",
        pl.col("change_version").alias("source_version"),
        pl.lit(False).alias("is_deleted"),
        pl.lit("\\x00").alias("row_hash"),
        pl.lit("test").alias("batch_id"),
        pl.int_range(1, pl.len() + 1).alias("row_no"),
        pl.lit(as_of).alias("as_of"),
        *fields,
    )
    buffer = io.BytesIO()
    rows.write_csv(buffer)
    with connection.cursor() as cursor:
        with cursor.copy(
            f"copy raw.{entity} ({', '.join(rows.columns)}) from stdin (format csv, header)"
        ) as copy:
            copy.write(buffer.getvalue())
        kept = ", ".join(["src_inst_code", "src_record_id", "raw_id", "batch_id", *fields])
        cursor.execute(f"insert into accepted.{entity} ({kept}) select {kept} from latest.{entity}")
        cursor.execute("insert into quality.judged values (%s, 'test', 'test', 'test')", [entity])
