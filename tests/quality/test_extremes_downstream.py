"""The least and greatest number and date that validation accepts, each in records of its own: no layer breaks."""

from datetime import date

import psycopg
import pytest

from support.copies import copy_of
from support.rebuild import Compiled
from yuyan.domain import contracts
from yuyan.domain.contracts import Field
from yuyan.validate.run import validate
from yuyan.warehouse.ddl import META_COLUMNS

pytestmark = [pytest.mark.database, pytest.mark.long]


@pytest.fixture
def city(pg_home, simulated_city_dsn, monkeypatch):
    (dsn,) = (copy_of(pg_home, simulated_city_dsn),)
    for url in dsn:
        monkeypatch.setenv("YUYAN_WAREHOUSE_DSN", url)
        yield url


def extremes(field: Field) -> tuple[str, ...]:
    """The least and the greatest value of its type; nothing for text."""
    if field.type == "date":
        return "0001-01-01", "9999-12-31"
    if field.type == "integer":
        return str(-(2**31)), "0", str(2**31 - 1)
    if field.type == "number":
        digits, places = map(int, field.sql_type[len("numeric(") : -1].split(","))
        greatest = str(10**digits - 1)
        greatest = f"{greatest[: digits - places] or '0'}.{greatest[digits - places :]}"
        return f"-{greatest}", "0", greatest
    return ()


def put(connection: psycopg.Connection, entity: str) -> int:
    """A newer version of as many records as there are extremes, each with one of them; returns how many."""
    fields = contracts.load()[entity].columns
    wanted = [(f.name, value) for f in fields for value in extremes(f)] * 2  # two add up to more than one
    records = connection.execute(
        f"select raw_id from accepted.{entity} order by md5(src_record_id) limit %s", [len(wanted)]
    ).fetchall()
    for (raw_id,), (column, value) in zip(records, wanted, strict=False):
        changes = {
            "source_version": "source_version + 1",
            "batch_id": f"'extreme-{entity}-' || src_inst_code",
            "row_no": "raw_id",
            column: f"'{value}'",
        }
        names = [*(n for n in META_COLUMNS if n != "raw_id"), *(f.name for f in fields)]
        connection.execute(
            f"insert into raw.{entity} ({', '.join(names)}) select {', '.join(changes.get(n, n) for n in names)} "
            f"from raw.{entity} where raw_id = %s",
            [raw_id],
        )
    connection.execute(
        "insert into ops.batch (batch_id, run_id, src_inst_code, entity, product, mode, landing_uri, payload_digest, "
        "rows_received, rows_stored, rows_unchanged, rows_superseded, as_of) "
        "select batch_id, 'extreme', src_inst_code, %s, 'rest-versioned', 'incremental', '', '', count(*), count(*), 0, 0, "
        f"max(as_of) from raw.{entity} where batch_id like 'extreme-%%' group by batch_id, src_inst_code",
        [entity],
    )
    return min(len(records), len(wanted))


def test_what_is_accepted_breaks_no_layer(city, simulated_city, simulated_city_home):
    with psycopg.connect(city, autocommit=True) as connection:
        placed = sum(put(connection, entity) for entity in contracts.load())
        validate("extreme", simulated_city.as_of)
        accepted = sum(
            connection.execute(
                f"select count(*) from accepted.{entity} where batch_id like 'extreme-%'"
            ).fetchone()[0]
            for entity in contracts.load()
        )
        assert placed > accepted > 200  # the others wait in quarantine
        compiled = Compiled(simulated_city_home, simulated_city.as_of)
        assert broken(connection, compiled, simulated_city.as_of) == {}


def broken(connection: psycopg.Connection, compiled: Compiled, day: date) -> dict[str, str]:
    """Tables of all layers that cannot be filled -> what the server says."""
    found: dict[str, str] = {}
    waiting = {n["unique_id"]: n for n in compiled.models.values() if n["config"]["materialized"] == "table"}
    while waiting:
        for node in [n for n in waiting.values() if not set(n["depends_on"]["nodes"]) & set(waiting)]:
            del waiting[node["unique_id"]]
            try:
                with connection.transaction():
                    compiled.fill_models(connection, day, node["name"])
            except psycopg.Error as error:
                found[node["name"]] = str(error)
    return found
