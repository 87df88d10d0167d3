"""The connectors and the simulated platforms share no code: here they meet, four products, two days, all faults."""

import os
import socket
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path

import polars as pl
import psycopg
import pytest

from yuyan.domain import contracts, institutions
from yuyan.load.run import collect_institution
from yuyan_demo.runtime import postgres, sockets
from yuyan_demo.simulator import products

sys.path.append(str(Path(__file__).parents[1] / "simulator"))
import products_city

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("patience")]

CITY = ["10617", "10637", "11551", "10647", "50000"]
DAYS = {1: date(2026, 10, 15), 2: date(2026, 10, 16)}


@pytest.fixture
def served(tmp_path, pg_home, monkeypatch) -> Iterator[tuple[dict, set]]:
    """Day 1 is prepared and served: the frames that the platforms hold, and the values they could not."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    frames = products_city.write(tmp_path, 1, CITY)
    lost = uncarried(products.prepare(tmp_path, 1, postgres.dsn(pg_home)))
    port = sockets.free()
    command = [
        sys.executable,
        "-m",
        "yuyan_demo.simulator",
        "serve",
        "--home",
        str(tmp_path),
        "--port",
        str(port),
    ]
    server = subprocess.Popen(command, env=os.environ)
    try:
        for name, value in products.connection_env(tmp_path, port).items():
            monkeypatch.setenv(name, value)
        while server.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield frames, lost
    finally:
        server.terminate()
        server.wait()


def alike(value: str | None, kind: str) -> object:
    """Numbers compare as numbers (JSON has no trailing zeros, a database no leading ones); everything else as text, of
    which the line may have normalised the width.
    """
    try:
        if value and kind in ("number", "integer"):
            return Decimal(value)
        return value and unicodedata.normalize("NFKC", value)
    except InvalidOperation:
        return value


def check(dsn: str, frames: dict, lost: set[tuple]) -> None:
    """The newest versions in raw are what the platforms hold, field by field, but for the direct identifiers."""
    with psycopg.connect(dsn) as connection:
        for (inst, entity), frame in frames.items():
            fields = [f for f in contracts.load()[entity].columns if not f.derived]
            names = [f.name for f in fields]
            query = (
                f"select src_record_id, {', '.join(names)} from (select distinct on (src_record_id) * from raw.{entity} "
                "where src_inst_code = %s order by src_record_id, source_version desc, raw_id desc) r where not is_deleted"
            )
            held = {row[0]: row[1:] for row in connection.execute(query, [inst])}
            expected = frame.filter(~pl.col("is_deleted"))
            assert held.keys() == set(expected["src_record_id"]), (inst, entity)
            for record, *values in expected.select("src_record_id", *names).iter_rows():
                for f, found, value in zip(fields, held[record], values, strict=True):
                    wanted = None if (inst, entity, record, f.name) in lost else value
                    if (
                        f.code_set == "graduation_destination"
                        and wanted not in contracts.code_sets()[f.code_set]
                    ):
                        found, wanted = (
                            found.removeprefix("L"),
                            wanted.removeprefix("L"),
                        )  # unknown: kept as it came
                    assert alike(found, f.type) == alike(wanted, f.type), (inst, entity, record, f.name)


def uncarried(prepared: dict) -> set[tuple]:
    """The values that an exchange database's columns could not hold."""
    return {
        tuple(u[k] for k in ("inst_code", "entity", "src_record_id", "field")) for u in prepared["uncarried"]
    }


@pytest.mark.long
def test_two_days_of_every_product(warehouse, served, pg_home, tmp_path):
    known = institutions.load()
    assert {known[inst].product for inst in CITY} == {i.product for i in known.values()}
    (frames, lost), results = served, {}
    for day, as_of in DAYS.items():
        if day > 1:
            frames = products_city.write(tmp_path, day, CITY)
            lost |= uncarried(products.prepare(tmp_path, day, postgres.dsn(pg_home)))
        results[day] = {inst: collect_institution(inst, f"day-{day}", as_of) for inst in CITY}
        assert [r["failed"] for r in results[day].values()] == [[]] * len(CITY)
        check(warehouse, frames, lost)
    assert sum(r["retries"] for r in results[1].values()) > 0
    with psycopg.connect(warehouse) as connection:
        query = "select src_inst_code, field, sum(rows) from ops.schema_drift where kind = 'unannounced' group by 1, 2"
        assert {inst for inst, _, _ in connection.execute(query)} == {"10617", "10637", "11551", "10647"}
        changes = (
            "select src_inst_code, sum(rows_stored + rows_tombstoned) from ops.batch "
            "where entity = 'student' and run_id = 'day-2' group by 1"
        )
        # At each university a new key, a deletion and a newcomer; a changed name is no change here, for it never lands.
        assert dict(connection.execute(changes)) == dict.fromkeys(CITY[:4], 3)
        balance = (
            "select bool_and(rows_received = rows_stored + rows_unchanged + rows_superseded) from ops.batch"
        )
        assert connection.execute(balance).fetchone() == (True,)
        drifted = connection.execute("select action from ops.count_check where action = 'still_different'")
        assert drifted.fetchall() == []
