"""Kill the process at the worst moments and run it again: the warehouse is that of an undisturbed run."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import fake_platforms as fake
import polars as pl
import psycopg
import pytest

from yuyan.load.run import collect_institution
from yuyan_demo.runtime import postgres

pytestmark = pytest.mark.database

DAY = date(2026, 10, 15)
ENTITIES = ["org_unit", "student"]

CHILD = """
import os, signal, sys
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from yuyan.collect import connect, landing
from yuyan.load import entity_load, lines, loader, ops, outcome, run, versions

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def after(module, name, times=1):
    real = getattr(module, name)
    left = [times]
    def wrapped(*a, **k):
        result = real(*a, **k)
        left[0] -= 1
        return die() if left[0] == 0 else result
    setattr(module, name, wrapped)

connect._connection = lambda _: SimpleNamespace(
    host="127.0.0.1", port={port}, schema="http", login="client", password="secret", extra_dejson={{}})
landing.BATCH_ROWS, loader._SEND = 100, 1000
{fault}
run.collect_institution("10611", "run-2", date(2026, 10, 15), {entities!r})
"""

FAULTS = {
    "while pages are being landed": "after(landing.PageReducer, 'reduce', 2)",
    "between data file and manifest": "landing._write_text = die",
    "landed, not loaded": "loader.Loader.load = die",
    "in the middle of COPY": "after(loader.psycopg.Copy, 'write', 3)",
    "copied, before the batch record": "ops.record_batch = die",
    "before commit": "after(ops, 'record_batch')",
    "first batch of a window loaded, not its last": "after(loader.Loader, 'load')",
    "first entity committed, the second not begun": "after(outcome.Outcome, 'record')",
    "before the counts are compared": "entity_load.live_count = die",
}


@dataclass(frozen=True)
class Story:
    """A platform on day 2; a warehouse (database name) and landing after day 1; what an undisturbed day 2 ends in."""

    port: int
    day_one: str
    landing: Path
    warehouse: dict[str, list[tuple]]
    landed: dict[str, list[tuple]]


@pytest.fixture(scope="module")
def story(pg_home, pg_template, tmp_path_factory) -> Iterator[Story]:
    platform = fake.Versioned()
    platform.page = 40
    platform.records["org_unit"] = [fake.unit(i) for i in range(120)]
    platform.records["student"] = [fake.student(i) for i in range(90)]
    home = tmp_path_factory.mktemp("undisturbed")
    names = [f"crash_{secrets.token_hex(4)}" for _ in range(2)]
    with (
        pytest.MonkeyPatch.context() as patch,
        psycopg.connect(postgres.dsn(pg_home), autocommit=True) as admin,
    ):
        admin.execute(f"create database {names[0]} template {pg_template} strategy file_copy")
        _environment(patch, home, postgres.dsn(pg_home, names[0]), platform.port)
        collect_institution("10611", "run-1", DAY, ENTITIES)
        shutil.copytree(home / "landing", home / "day-one")
        admin.execute(f"create database {names[1]} template {names[0]} strategy file_copy")
        _day_two(platform)
        collect_institution("10611", "run-2", DAY, ENTITIES)
        warehouse, landed = _warehouse(postgres.dsn(pg_home, names[0])), _landed(home / "landing")
        assert [action for *_, action in warehouse["counts"]] == ["none"] * 4
        yield Story(platform.port, names[1], home / "day-one", warehouse, landed)
        for name in names:
            admin.execute(f"drop database {name} with (force)")
    platform.close()


@pytest.mark.parametrize("moment", FAULTS)
def test_killed(moment, story, pg_home, tmp_path, monkeypatch):
    name = f"crash_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as admin:
        admin.execute(f"create database {name} template {story.day_one} strategy file_copy")
    dsn = postgres.dsn(pg_home, name)
    _environment(monkeypatch, tmp_path, dsn, story.port)
    shutil.copytree(story.landing, tmp_path / "landing")
    script = tmp_path / "killed.py"
    script.write_text(
        CHILD.format(fault=FAULTS[moment], port=story.port, entities=ENTITIES), encoding="utf-8"
    )
    killed = subprocess.run([sys.executable, str(script)], env=os.environ, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    collect_institution("10611", "run-2", DAY, ENTITIES)
    for what, rows in _warehouse(dsn).items():
        assert rows == story.warehouse[what], what
    assert _landed(tmp_path / "landing") == story.landed
    with psycopg.connect(postgres.dsn(pg_home), autocommit=True) as admin:
        admin.execute(f"drop database {name} with (force)")


def _environment(patch: pytest.MonkeyPatch, home: Path, dsn: str, port: int) -> None:
    patch.setenv("YUYAN_HOME", str(home))
    patch.setenv("YUYAN_LANDING", str(home / "landing"))
    patch.setenv("YUYAN_PERSON_KEY", "test-person-key")
    patch.setenv("YUYAN_WAREHOUSE_DSN", dsn)
    patch.setenv("AIRFLOW_CONN_PLATFORM_10611", f"http://client:secret@127.0.0.1:{port}")
    patch.setattr("yuyan.collect.landing.BATCH_ROWS", 100)


def _day_two(platform: fake.Versioned) -> None:
    """Changes, a deletion, new records, a new key."""
    units = platform.records["org_unit"]
    units[::3] = [fake.unit(i, version=200 + i, unit_name="新名") for i in range(0, 120, 3)]
    units[1] = fake.unit(1, version=500, _deleted=True)
    units += [fake.unit(i, version=600 + i) for i in range(120, 260)]
    platform.records["student"] += [fake.student(i, change_version=900 + i) for i in range(90, 150)]
    platform.key_changes["org_unit"] = [
        {"src_record_id": "u0003", "change_version": 203, "old_key": "a", "new_key": "b"}
    ]


def _warehouse(dsn: str) -> dict[str, list[tuple]]:
    """Everything that must be the same, without what differs by nature: identities, clocks, places."""
    queries = {
        "units": "select to_jsonb(r) - 'raw_id' from raw.org_unit r order by 1",
        "students": "select to_jsonb(r) - 'raw_id' from raw.student r order by 1",
        "newest": "select distinct on (src_record_id) src_record_id, is_deleted, unit_name from raw.org_unit "
        "order by src_record_id, source_version desc, raw_id desc",
        "batches": "select to_jsonb(b) - 'loaded_at' - 'landing_uri' from ops.batch b order by 1",
        "watermarks": "select * from ops.watermark order by 1, 2",
        "keys": "select * from ops.key_change order by 1, 2",
        "counts": "select * from ops.count_check order by 1, 2, 3",
    }
    with psycopg.connect(dsn) as connection:
        return {name: connection.execute(query).fetchall() for name, query in queries.items()}


def _landed(root: Path) -> dict[str, list[tuple]]:
    """Rows of every landed file by name; each has its manifest, and nothing else lies about.

    What was being written when its process was killed is there until the next day's landing sweeps it away.
    """
    files = [p for p in root.rglob("*") if p.is_file() and not p.name.startswith(f".{DAY}.run-2.")]
    assert {p.suffix for p in files} == {".parquet", ".json"}
    assert all(p.with_suffix(".json").exists() for p in files)
    return {str(p.relative_to(root)): pl.read_parquet(p).rows() for p in files if p.suffix == ".parquet"}
