"""A small simulated city with all layers built on its accepted records."""

import secrets
from datetime import date

import psycopg
import pytest

from support import fill
from yuyan import contracts, runs, transform
from yuyan.quality.assess import assess
from yuyan.runtime import postgres
from yuyan.simulator import population
from yuyan.simulator.book import Facts
from yuyan.warehouse import ddl

SCALE, DAY = 0.01, 2


@pytest.fixture(scope="session")
def marts_city() -> population.Population:
    """The city on day 2: defects planted on both days, late changes, deletions."""
    return population.build(scale=SCALE, day=DAY)


@pytest.fixture(scope="session")
def facts(marts_city) -> Facts:
    """Its accepted records, typed."""
    return Facts(marts_city)


@pytest.fixture(scope="session")
def marts_dsn(pg_home, tmp_path_factory, marts_city) -> str:
    """URL of the city's warehouse, all layers built; the marts' own data tests have passed."""
    name = f"marts_{secrets.token_hex(4)}"
    dsn = postgres.create_database(pg_home, name)
    with psycopg.connect(dsn) as connection:
        ddl.create(connection)
        fill.load(connection, {e: marts_city.accepted(e) for e in contracts.load()}, as_of=marts_city.as_of)
        for entity in contracts.load():
            accept(connection, entity)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YUYAN_HOME", str(tmp_path_factory.mktemp("marts-home")))
        patch.setenv("YUYAN_WAREHOUSE_DSN", dsn)
        runs.open_run("city", "warehouse", marts_city.as_of)
        models = ["--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"]
        dbt(marts_city.as_of, "build", "--exclude", "path:models/marts", *models)
        assess("city", marts_city.as_of)
        dbt(marts_city.as_of, "build", "--select", "path:models/marts", *models)
        dbt(marts_city.as_of, "test", "--select", "path:models/marts", "--exclude-resource-type", "unit_test")
    yield dsn
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def marts(marts_dsn) -> psycopg.Connection:
    """A connection that reads the city's marts."""
    with psycopg.connect(marts_dsn, autocommit=True) as connection:
        yield connection


def dbt(as_of: date, *command: str) -> None:
    """Run a dbt command; no node may fail."""
    result = transform.invoke(list(command), as_of).result
    failed = [(r.node.name, r.message) for r in result.results if str(r.status) in transform.FAILED]
    assert failed == []


def accept(connection: psycopg.Connection, entity: str) -> None:
    """Judge every batch of an entity and accept its newest records."""
    connection.execute(
        f"insert into quality.judged select distinct '{entity}', batch_id, 'test', 'test' from raw.{entity}"
    )
    fields = [f.name for f in contracts.load()[entity].columns]
    kept = ", ".join(["src_inst_code", "src_record_id", "raw_id", "batch_id", *fields])
    connection.execute(f"insert into accepted.{entity} ({kept}) select {kept} from latest.{entity}")
