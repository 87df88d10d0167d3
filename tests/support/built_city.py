"""A simulated city, its accepted records loaded as validation leaves them, all layers built: once per test run."""

import secrets
from datetime import date
from pathlib import Path

import psycopg
import pytest

from support import fill
from support.rebuild import Compiled
from yuyan import runs, transform
from yuyan.assess.run import assess
from yuyan.changes import run as changes
from yuyan.domain import contracts
from yuyan.early_warning.run import warn
from yuyan.estimate.run import estimate
from yuyan.warehouse import ddl
from yuyan_demo.runtime import postgres
from yuyan_demo.simulator import population

SCALE, DAY = 0.01, 2
SINCE_YESTERDAY = ("employment", "commissioned_receipt", "practice_participation")
"""Entities of which some records come after the city's first publication, so that something has changed since."""

COLLECTED = """
insert into ops.collection_result (run_id, src_inst_code, entity, outcome)
select 'collected', src_inst_code, entity, 'success' from ops.batch
"""
"""What the city's platforms hold was collected without a failure."""


@pytest.fixture(scope="session")
def simulated_city() -> population.Population:
    """The city on day 2: defects planted on both days, late changes, deletions."""
    return population.build(scale=SCALE, day=DAY)


@pytest.fixture(scope="session")
def simulated_city_home(tmp_path_factory, parsed) -> Path:
    """YUYAN_HOME of the city's dbt runs."""
    home = tmp_path_factory.mktemp("simulated-city")
    parsed(home)
    return home


@pytest.fixture(scope="session")
def simulated_city_dsn(pg_home, simulated_city_home, simulated_city) -> str:
    """URL of the city's warehouse, all layers built by dbt. Not to be changed: copy it.

    dbt's tests of the data are not run here: tests/end_to_end has the same city go through them, on both days.
    """
    name = f"city_{secrets.token_hex(4)}"
    dsn = postgres.create_database(pg_home, name)
    with psycopg.connect(dsn) as connection:
        ddl.create(connection)
        frames = {entity: simulated_city.accepted(entity) for entity in contracts.load()}
        fill.load(connection, frames, as_of=simulated_city.as_of)
        for entity in contracts.load():
            accept(connection, entity)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("YUYAN_HOME", str(simulated_city_home))
        patch.setenv("YUYAN_WAREHOUSE_DSN", dsn)
        patch.setenv("YUYAN_SIMULATED", str(SCALE))
        runs.open_run("city", "warehouse", simulated_city.as_of)
        runs.open_run("collected", "collect", simulated_city.as_of)
        with psycopg.connect(dsn) as connection:
            connection.execute(COLLECTED)
            late = [hold_back(connection, entity) for entity in SINCE_YESTERDAY]
        build(simulated_city.as_of, "--exclude", "path:models/marts")
        changes.publish("yesterday", simulated_city.as_of)
        with psycopg.connect(dsn) as connection:
            for statement in late:
                connection.execute(statement)
            compiled = Compiled(simulated_city_home, simulated_city.as_of)
            compiled.fill(connection, simulated_city.as_of, set(SINCE_YESTERDAY))
        changes.explain("city", simulated_city.as_of)
        assess("city", simulated_city.as_of)
        estimate("city", simulated_city.as_of)
        warn("city", simulated_city.as_of)
        build(simulated_city.as_of, "--select", "path:models/marts")
    yield dsn
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as connection:
        connection.execute(f"drop database {name} with (force)")


def build(as_of: date, *selection: str) -> None:
    """Build models; no node may fail."""
    left_out = ("--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")
    command = ["build", *selection, *left_out]
    result = transform.invoke(command, as_of).result
    failed = [(r.node.name, r.message) for r in result.results if str(r.status) in transform.FAILED]
    assert failed == []


def hold_back(connection: psycopg.Connection, entity: str) -> str:
    """Take one record of a hundred out of accepted; returns the statement that brings them back."""
    connection.execute(
        f"create table ops.late_{entity} as select * from accepted.{entity} where hashtext(src_record_id) % 100 = 0"
    )
    connection.execute(
        f"delete from accepted.{entity} using ops.late_{entity} as l where {entity}.raw_id = l.raw_id"
    )
    return f"insert into accepted.{entity} select * from ops.late_{entity}; drop table ops.late_{entity}"


def accept(connection: psycopg.Connection, entity: str) -> None:
    """Judge every batch of an entity and accept its newest records."""
    connection.execute(
        f"insert into quality.judged select distinct '{entity}', batch_id, 'test', 'test' from raw.{entity}"
    )
    fields = [f.name for f in contracts.load()[entity].columns]
    kept = ", ".join(["src_inst_code", "src_record_id", "raw_id", "batch_id", *fields])
    connection.execute(f"insert into accepted.{entity} ({kept}) select {kept} from latest.{entity}")
