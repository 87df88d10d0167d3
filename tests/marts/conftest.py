"""A small simulated city with all layers built on its accepted records."""

import secrets

import psycopg
import pytest

from support import fill
from yuyan import contracts, transform
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
        for command in (
            ["build", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test"],
            ["test", "--select", "path:models/marts", "--exclude-resource-type", "unit_test"],
        ):
            result = transform.invoke(command, marts_city.as_of).result
            failed = [(r.node.name, r.message) for r in result.results if str(r.status) in transform.FAILED]
            assert failed == []
    yield dsn
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def marts(marts_dsn) -> psycopg.Connection:
    """A connection that reads the city's marts."""
    with psycopg.connect(marts_dsn, autocommit=True) as connection:
        yield connection


def accept(connection: psycopg.Connection, entity: str) -> None:
    """Judge every batch of an entity and accept its newest records."""
    connection.execute(
        f"insert into quality.judged select distinct '{entity}', batch_id, 'test', 'test' from raw.{entity}"
    )
    fields = [f.name for f in contracts.load()[entity].columns]
    kept = ", ".join(["src_inst_code", "src_record_id", "raw_id", "batch_id", *fields])
    connection.execute(f"insert into accepted.{entity} ({kept}) select {kept} from latest.{entity}")
